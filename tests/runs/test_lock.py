"""The lock on a run directory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cnn_mnist.errors import RunError
from cnn_mnist.runs.lock import locked

HOLD = """
import sys
from pathlib import Path
from cnn_mnist.runs.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    with locked(tmp_path / "run"):
        holder = json.loads((tmp_path / "run" / ".lock").read_text())
        assert holder["pid"] == os.getpid()
        with (
            pytest.raises(RunError, match=f"process {os.getpid()} on .* since 20.*wait for it"),
            locked(tmp_path / "run"),
        ):
            pass
    assert list((tmp_path / "run").iterdir()) == []
    with locked(tmp_path / "run"):
        pass


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RunError, match=f"process {holder.pid} "), locked(tmp_path):
            pass
        holder.kill()
    assert (tmp_path / ".lock").exists()  # what it left holds nothing
    with locked(tmp_path):
        pass


def test_a_lock_file_with_nonsense_in_it_still_holds(tmp_path: Path) -> None:
    with locked(tmp_path):
        (tmp_path / ".lock").write_text("[" * 100)
        with pytest.raises(RunError, match="by another process"), locked(tmp_path):
            pass


def test_a_path_that_is_not_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"\.lock cannot be written"), locked(tmp_path / "file"):
        pass
