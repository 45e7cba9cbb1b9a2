"""Write files so that they are whole or not there: durable, atomic writes.

Guarantee: a reader sees the old content or the new, never a part, also after a crash or a power
cut, as far as the operating system keeps its promise on fsync. Not covered: a disk that loses its
own cache, and a file system that refuses fsync: a warning says so, once.
"""

import errno
import glob
import hashlib
import os
import shutil
import stat
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cnn_mnist.errors import CnnMnistWarning, ExportError, os_errors_as, reason_of

if TYPE_CHECKING:
    from PIL import Image

_LEFTOVER_AGE_S: Final = 3600.0
"""Older temporary files are those of a process that was killed: none writes for so long."""
UNSUPPORTED: Final = frozenset(
    {errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
)
"""What a file system answers to a call that it does not know."""


@cache
def warn_once(message: str) -> None:
    """Warn with a `CnnMnistWarning`, once in the life of the process."""
    warnings.warn(message, CnnMnistWarning, stacklevel=3)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 lower-case hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """Read a regular file of at most `max_bytes` bytes.

    Raises:
        OSError: it cannot be read, is larger (`EFBIG`), or is not a regular file (`EINVAL`).
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    with path.open("rb") as stream:
        content = stream.read(min(os.fstat(stream.fileno()).st_size, max_bytes) + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"larger than the limit of {max_bytes:,} bytes", str(path))
    return content


def mount_point(path: Path) -> Path:
    """Return the folder where the file system of an existing path begins."""
    path = path.resolve()
    return next((folder for folder in (path, *path.parents) if folder.is_mount()), path)


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and wait until its bytes are on the disk."""
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        sync_file(stream.fileno(), path)


def sync_directory(path: Path) -> None:
    """Wait until a directory's entries (creations, renames) are on the disk."""
    if os.name == "nt":  # Windows cannot open a directory; its renames are journalled
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync_file(descriptor, path)
    finally:
        os.close(descriptor)


def sync_file(descriptor: int, path: Path) -> None:
    """Wait until an open file or directory is on the disk; warn where it cannot be known."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        warn_once(
            f"the file system at {mount_point(path)} does not say when data is on the disk "
            f"({reason_of(error)}): the newest files can be lost in a power cut; a folder on a "
            "local disk is safe"
        )


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Make a hidden folder beside `path` for what is to become it; removed after the block.

    Folders that killed processes left behind for the same path are removed, too.
    """
    prefix = f".{path.name}."
    for leftover in path.parent.glob(f"{glob.escape(prefix)}*.tmp"):
        with suppress(FileNotFoundError):  # another process removes it, too
            if time.time() - leftover.stat().st_mtime > _LEFTOVER_AGE_S:
                shutil.rmtree(leftover, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=".tmp", dir=path.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def replace(path: Path, content: bytes) -> None:
    """Create or replace a file in one step; on failure the old one stays as it was."""
    path = path.resolve()
    with temporary_folder(path) as folder:
        new = folder / path.name
        write_synced(new, content)
        new.replace(path)
    sync_directory(path.parent)


def replace_with(path: Path, make: Callable[[Path], None]) -> None:
    """Create or replace a file or a folder that a function writes; on failure the old one stays.

    A file is replaced in one step. A folder cannot be: a crash at that very moment leaves the old
    one beside it, in a hidden folder.

    Args:
        path: the file or folder.
        make: writes it, and checks it, at the path that it is given; the last name is the same.

    Raises:
        FileExistsError: `path` is a folder that holds more than the new one.
        OSError: it cannot be written.
    """
    path = path.resolve()
    with temporary_folder(path) as folder:
        new, old = folder / path.name, folder / f"{path.name}.old"
        make(new)
        for made in (new, *new.rglob("*")):
            _sync(made)
        if new.is_dir() and path.is_dir():
            _require_nothing_lost(path, new)
            path.rename(old)
        try:
            new.replace(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
    sync_directory(path.parent)


def write_png(image: "Image.Image", path: Path) -> None:
    """Create or replace a PNG file in one step.

    Raises:
        ExportError: it cannot be written; an earlier file stays.
    """
    content = BytesIO()
    image.save(content, "PNG")
    with os_errors_as(ExportError, f"{path} cannot be written"):
        replace(path, content.getvalue())


def _require_nothing_lost(path: Path, new: Path) -> None:
    """Raise `FileExistsError` where something in `path` would be lost to `new`."""
    others = {entry.name for entry in path.iterdir()} - {entry.name for entry in new.iterdir()}
    if others:
        raise FileExistsError(
            errno.EEXIST, f"it holds {min(others)}, which would be lost: choose another", str(path)
        )


def _sync(path: Path) -> None:
    """Wait until a file or a directory is on the disk."""
    if path.is_dir():
        sync_directory(path)
    else:
        with path.open("r+b") as stream:  # Windows syncs no file that is open for reading only
            sync_file(stream.fileno(), path)
