"""The list of what a folder's finished files were."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cnn_mnist import sums


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.json", "b.onnx", "c.txt"):
        (tmp_path / name).write_text(name * 10)
    sums.add(tmp_path, ["a.json", "b.onnx"])
    return tmp_path


def test_whole_files_are_not_accused_and_unlisted_ones_not_looked_at(folder: Path) -> None:
    (folder / "c.txt").write_text("changed")
    assert sums.damaged(folder) == []
    assert sums.damaged(folder, ["a.json", "c.txt"]) == []


def test_no_list_accuses_nothing(tmp_path: Path) -> None:
    assert sums.damaged(tmp_path) == []


def test_a_changed_and_a_missing_file_are_named(folder: Path) -> None:
    (folder / "a.json").write_text("changed")
    (folder / "b.onnx").unlink()
    assert sums.damaged(folder) == ["a.json", "b.onnx"]
    assert sums.damaged(folder, ["b.onnx"]) == ["b.onnx"]


def test_a_file_that_is_taken_off_may_change(folder: Path) -> None:
    sums.remove(folder, ["a.json", "unknown"])
    (folder / "a.json").write_text("changed")
    assert sums.damaged(folder) == []
    sums.add(folder, ["a.json"])
    (folder / "a.json").write_text("changed again")
    assert sums.damaged(folder) == ["a.json"]


def test_a_list_shortened_anywhere_is_damaged_itself(folder: Path) -> None:
    path = folder / sums.SUMS
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert sums.damaged(folder) == [sums.SUMS]
    sums.add(folder, ["a.json"])  # and the next writer makes a new one
    assert sums.damaged(folder) == []


def test_a_list_too_large_to_be_true_is_not_read(folder: Path) -> None:
    os.truncate(folder / sums.SUMS, 1 << 40)
    assert sums.damaged(folder) == [sums.SUMS]


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="needs coreutils")
def test_sha256sum_reads_the_list(folder: Path) -> None:
    command = ["sha256sum", "--check", "--strict", sums.SUMS]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (folder / "a.json").write_text("changed")
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "a.json: FAILED" in done.stdout
