"""What the tutorial's code prints, run on MNIST block by block.

    python benchmarks/lesson.py RUN > benchmarks/results/lesson.json

RUN is a finished run of the recipe `standard`, seed 0 (`cnn-mnist train` makes it); the tutorial
knows it as `runs/standard`. All Python blocks run in one session, and the commands whose output the
page shows. `python docs/build.py` puts the output into the pages. The last line of standard output
is one JSON object.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from cnn_mnist.machine import machine, versions

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))

from blocks import Block, blocks  # noqa: E402 - the pages' own helper


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="a finished run of `standard` on MNIST")
    run = parser.parse_args().run.resolve()
    page = (ROOT / "docs" / "templates" / "tutorial.md").read_text("utf-8")
    session: dict[str, Any] = {"__name__": "__main__"}
    outputs = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        shutil.copytree(run, "runs/standard")
        shutil.copy(ROOT / "docs" / "pictures" / "my-digit.png", "my-digit.png")
        for block in blocks(page):
            ran = {"language": block.language, "code": block.code}
            outputs.append(ran | {"output": output(block, session)})
            print(block.code, outputs[-1]["output"], file=sys.stderr, sep="\n")
        os.chdir(ROOT)
    print(json.dumps({"blocks": outputs, "versions": versions(), "machine": machine()}))


def output(block: Block, session: dict[str, Any]) -> str:
    """What a block prints, both streams together; a command that is not shown is not run."""
    if block.language == "bash":
        if not block.shown:
            return ""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-ec", block.code],
            check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "PATH": path},
        ).stdout  # fmt: skip
    printed = StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        exec(compile(block.code, "<tutorial>", "exec"), session)  # noqa: S102 - our own page
    return printed.getvalue()


if __name__ == "__main__":
    main()
