"""The lock on a run directory."""

import errno
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from cnn_mnist import files
from cnn_mnist.errors import CnnMnistWarning, RunError
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
    (tmp_path / "run").mkdir()
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


def test_a_directory_that_was_created_for_nothing_is_removed(tmp_path: Path) -> None:
    with locked(tmp_path / "not" / "there" / "yet"):
        assert (tmp_path / "not" / "there" / "yet" / ".lock").exists()
    assert not (tmp_path / "not").exists()
    with locked(tmp_path / "runs" / "a"):
        (tmp_path / "runs" / "b").mkdir()  # another run's
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["b"]


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


def refuse_locks(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Let `flock` fail with the error `code`."""
    files.warn_once.cache_clear()

    def refuse(stream: object, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", refuse)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no flock")
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_system_without_locks_is_named_once_and_the_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    refuse_locks(monkeypatch, code)
    named = f"{files.mount_point(tmp_path)} has no locks .*{os.strerror(code)}.*one process at a"
    with pytest.warns(CnnMnistWarning, match=named), locked(tmp_path / "run"):
        pass
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("run", "another"):
            with locked(tmp_path / name):
                assert (tmp_path / name / ".lock").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no flock")
def test_a_disk_that_fails_while_it_locks_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_locks(monkeypatch, errno.EIO)
    with pytest.raises(RunError, match=r"\.lock cannot be written: Input/output"), locked(tmp_path):
        pass
