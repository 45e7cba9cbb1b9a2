"""The example of a network of one's own."""

import os
import subprocess
import sys
from pathlib import Path

from commands import result_of
from tiny import one_thread as one_thread  # a fixture of every test here

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_network.py"


def test_the_script_trains_lenet5_and_the_command_line_opens_its_run(tmp_path: Path) -> None:
    code = EXAMPLE.read_text("utf-8").replace("max_steps=2000", "'digits', max_steps=300")
    script = tmp_path / "lenet_script.py"
    script.write_text(code.replace("finish()", "finish('digits')"))
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[2].rstrip("%")) > 80
    arguments = ("--network", f"{script}:LeNet5", "--data", "digits")
    assert result_of("evaluate", tmp_path / "runs" / "lenet5", *arguments)["global_step"] == 300
