"""Lock a run directory, so that one process writes there at a time.

The lock is the kernel's own, on an open file (`flock`): it ends with its holder, also when that is
killed. The file names the holder. Not covered: Windows, which has no `flock`, network file systems
that keep locks to one machine, and file systems without locks, where a warning says so, once.
"""

import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

from cnn_mnist.errors import RunError, reason_of
from cnn_mnist.files import UNSUPPORTED, mount_point, read_bounded, warn_once

if sys.platform != "win32":
    import fcntl

_HOLDER_BYTES = 1000


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of a directory, which is created where missing.

    What has been created is removed again where nothing was written there meanwhile.

    Raises:
        RunError: another process holds it (the line says which), or the directory cannot be
            written.
    """
    path = directory / ".lock"
    try:
        created = [folder for folder in (directory, *directory.parents) if not folder.exists()]
        directory.mkdir(parents=True, exist_ok=True)
        stream = _acquired(path)
    except BlockingIOError as error:
        raise RunError(
            f"{directory} is being trained by {_holder(path)}: wait for it, or choose another run "
            "directory"
        ) from error
    except OSError as error:
        raise RunError(f"{path} cannot be written: {reason_of(error)}") from error
    with stream:
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()
            with suppress(OSError):  # the first one that is not empty, and those around it, stay
                for folder in created:
                    folder.rmdir()


def _acquired(path: Path) -> IO[str]:
    """Open the lock file, lock it, and write the holder into it.

    Raises:
        BlockingIOError: another process holds the lock.
        OSError: the file cannot be written.
    """
    while True:
        stream = path.open("a", encoding="utf-8")
        try:
            _lock(stream, path)
            if _is_still(path, stream):
                stream.truncate(0)
                now = datetime.now(timezone.utc).isoformat(timespec="seconds")
                holder = {"pid": os.getpid(), "host": platform.node(), "since": now}
                print(json.dumps(holder), file=stream, flush=True)
                return stream
        except BaseException:
            stream.close()
            raise
        stream.close()


def _lock(stream: IO[str], path: Path) -> None:
    """Lock an open file; warn where its file system has no locks."""
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        warn_once(
            f"the file system at {mount_point(path)} has no locks ({reason_of(error)}): let only "
            "one process at a time train in a run directory there"
        )


def _is_still(path: Path, stream: IO[str]) -> bool:
    """Return whether the open file still has its name: its last holder may have removed it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    """Return who holds the lock, in words."""
    try:
        holder = json.loads(read_bounded(path, _HOLDER_BYTES))
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, TypeError, KeyError):  # it has not written its name yet
        return "another process"
