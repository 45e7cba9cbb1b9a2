"""Durable, atomic writes."""

import errno
import hashlib
import os
import stat
import threading
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from cnn_mnist import files
from cnn_mnist.errors import CnnMnistWarning


def test_sha256_is_of_all_bytes_of_a_file_larger_than_one_chunk(tmp_path: Path) -> None:
    content = os.urandom((1 << 20) + 1)
    (tmp_path / "a").write_bytes(content)
    assert files.sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("old", [None, b"old and longer"])
def test_replace_leaves_the_new_content_and_nothing_else(tmp_path: Path, old: bytes | None) -> None:
    path = tmp_path / "a"
    if old is not None:
        path.write_bytes(old)
    files.replace(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()])
def test_a_write_that_fails_half_way_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def half(temporary: Path, content: bytes) -> None:
        temporary.write_bytes(content[:1])
        raise failure

    monkeypatch.setattr(files, "write_synced", half)
    with pytest.raises(type(failure)):
        files.replace(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no fsync of directories")
def test_content_is_on_the_disk_before_it_has_its_name_and_the_name_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    events = []
    monkeypatch.setattr(os, "fsync", lambda _: events.append(("fsync", path.exists())))
    files.replace(path, b"new")
    assert events == [("fsync", False), ("fsync", True)]


@pytest.fixture
def no_warning_yet() -> None:
    """Forget that this process has warned before."""
    files.warn_once.cache_clear()


@pytest.mark.usefixtures("no_warning_yet")
@pytest.mark.parametrize("code", [errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_that_refuses_fsync_is_named_once_and_files_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    named = f"file system at {files.mount_point(tmp_path)} does not say .*{os.strerror(code)}"
    with pytest.warns(CnnMnistWarning, match=named):
        files.replace(tmp_path / "a", b"first")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        files.replace(tmp_path / "a", b"second")
        files.replace_with(tmp_path / "folder", folder_of("b"))
    assert contents(tmp_path) == {"a": "second", "folder/b": "new"}


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fails_at_fsync_is_an_error_and_the_old_content_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    files.replace(tmp_path / "a", b"old")

    def fail(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=os.strerror(code)):
        files.replace(tmp_path / "a", b"new")
    assert contents(tmp_path) == {"a": "old"}


@pytest.mark.skipif(os.name == "nt", reason="it is simulated with POSIX calls")
def test_no_file_is_synced_that_is_open_for_reading_only_which_windows_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl  # Windows has none

    synced = []

    def sync(descriptor: int) -> None:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            synced.append(descriptor)
            if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
                raise OSError(errno.EBADF, "as Windows says")

    monkeypatch.setattr(os, "fsync", sync)
    files.replace(tmp_path / "a", b"new")
    files.replace_with(tmp_path / "b", file_of("new"))
    files.replace_with(tmp_path / "folder", folder_of("c"))
    assert len(synced) == 3


def test_threads_and_containers_of_the_same_pid_write_under_names_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with ExitStack() as stack:
        folders = [stack.enter_context(files.temporary_folder(tmp_path / "a")) for _ in range(9)]
        assert len(set(folders)) == 9


def test_a_reader_sees_the_old_content_or_the_new_never_a_part(tmp_path: Path) -> None:
    path = tmp_path / "a"
    contents = [bytes([letter]) * 100_000 for letter in b"ab"]
    files.replace(path, contents[0])

    def write() -> None:
        for turn in range(20):
            files.replace(path, contents[turn % 2])

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while writer.is_alive():
        seen.add(path.read_bytes())
    writer.join()
    assert seen <= set(contents)


# --- what a library writes


def file_of(text: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_text(text)

    return make


def folder_of(*names: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.mkdir()
        for name in names:
            (path / name).write_text("new")

    return make


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder, hidden ones too."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_file_or_a_folder_replaces_the_old_one(tmp_path: Path) -> None:
    for text in ("first", "second"):
        files.replace_with(tmp_path / "file", file_of(text))
    for names in (("a",), ("a", "b")):
        files.replace_with(tmp_path / "folder", folder_of(*names))
    assert contents(tmp_path) == {"file": "second", "folder/a": "new", "folder/b": "new"}


@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()])
def test_a_function_that_fails_half_way_leaves_the_old_one_and_nothing_else(
    failure: BaseException, tmp_path: Path
) -> None:
    files.replace_with(tmp_path / "folder", folder_of("a"))

    def half(path: Path) -> None:
        folder_of("a", "b")(path)
        raise failure

    with pytest.raises(type(failure)):
        files.replace_with(tmp_path / "folder", half)
    assert contents(tmp_path) == {"folder/a": "new"}


def test_a_folder_that_holds_more_than_the_new_one_is_not_replaced(tmp_path: Path) -> None:
    folder_of("a", "mine")(tmp_path / "folder")
    with pytest.raises(FileExistsError, match="it holds mine"):
        files.replace_with(tmp_path / "folder", folder_of("a"))
    assert contents(tmp_path) == {"folder/a": "new", "folder/mine": "new"}


def test_a_folder_that_cannot_be_renamed_gives_the_old_one_its_name_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of("a")(tmp_path / "folder")

    def refuse(self: Path, target: Path) -> None:
        raise OSError("no")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="no"):
        files.replace_with(tmp_path / "folder", folder_of("a", "b"))
    assert contents(tmp_path) == {"folder/a": "new"}
