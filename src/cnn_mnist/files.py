"""Files that are whole or not there: durable, atomic writes.

Guarantee: a reader sees the old content or the new, never a part, also after a crash or a power
cut, as far as the operating system keeps its word on fsync. Not covered: a disk that loses its own
cache.
"""

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 lower-case hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """A file's bytes; one that is larger is not read, nor is a device or a pipe.

    Raises:
        OSError: it cannot be read, is larger (`EFBIG`), or no file (`EINVAL`).
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no file", str(path))
    with path.open("rb") as stream:
        content = stream.read(min(os.fstat(stream.fileno()).st_size, max_bytes) + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"more than {max_bytes:,} bytes are not believed", str(path))
    return content


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and wait until its bytes are on the disk."""
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def sync_directory(path: Path) -> None:
    """Wait until a directory's entries (creations, renames) are on the disk."""
    if os.name == "nt":  # Windows cannot open a directory; its renames are journalled
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path: Path, content: bytes) -> None:
    """Create or replace a file in one step; on failure the old one stays as it was."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write_synced(temporary, content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def replace_with(path: Path, make: Callable[[Path], None]) -> None:
    """Create or replace a file or a folder that a library writes; on failure the old one stays.

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
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as directory:
        new, old = Path(directory, path.name), Path(directory, f"{path.name}.old")
        make(new)
        for made in (new, *new.rglob("*")):
            _sync(made)
        if new.is_dir() and path.is_dir():
            _require_no_more(path, new)
            path.rename(old)
        try:
            new.replace(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
    sync_directory(path.parent)


def _require_no_more(path: Path, new: Path) -> None:
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
        with path.open("r+b") as stream:
            os.fsync(stream.fileno())
