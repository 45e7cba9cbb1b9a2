"""What is done to a process at the n-th thing that it does to the disk.

Counted are Python's own audit events of files opened for writing, renamed and removed, folders made
and removed; each fsync; and each write, of which only the first half reaches the file.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cnn_mnist import checkpoint, files

_EVENTS = ("os.rename", "os.mkdir", "os.rmdir", "os.remove")


def at(number: int, act: Callable[[], None], *, ever_after: bool = False) -> None:
    """From now on, call `act` before this process's `number`-th touch of the disk."""
    seen = 0

    def touch() -> bool:
        nonlocal seen
        seen += 1
        return seen == number or (ever_after and seen > number)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        opened = event == "open" and isinstance(arguments[2], int)
        for_writing = opened and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (event in _EVENTS or for_writing) and touch():
            act()

    fsync, write_synced = os.fsync, files.write_synced

    def counted_fsync(descriptor: int) -> None:
        if touch():
            act()
        fsync(descriptor)

    def counted_write(path: Path, content: bytes) -> None:
        if touch():
            path.write_bytes(content[: len(content) // 2])
            act()
        write_synced(path, content)

    sys.addaudithook(hook)
    os.fsync = counted_fsync
    files.write_synced = checkpoint.write_synced = counted_write


def die() -> None:
    """End as by a cut of the power."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail(number: int) -> Callable[[], None]:
    """Refuse as the system does, with this `errno`."""

    def act() -> None:
        raise OSError(number, os.strerror(number))

    return act
