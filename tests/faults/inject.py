"""Inject a fault into this process at its n-th disk operation.

Counted are Python's audit events of files opened for writing, renamed and removed and of folders
made and removed, each fsync, and each durable write, of which only the first half reaches the file.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cnn_mnist import files
from cnn_mnist.runs import checkpoint

_EVENTS = ("os.rename", "os.mkdir", "os.rmdir", "os.remove")


def at_disk_operation(number: int, fault: Callable[[], None], *, ever_after: bool = False) -> None:
    """Call `fault` before this process's `number`-th disk operation from now on.

    Args:
        number: from 1.
        fault: kills the process or raises.
        ever_after: call it before all later operations, too.
    """
    seen = 0

    def is_reached() -> bool:
        nonlocal seen
        seen += 1
        return seen == number or (ever_after and seen > number)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        opened = event == "open" and isinstance(arguments[2], int)
        for_writing = opened and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (event in _EVENTS or for_writing) and is_reached():
            fault()

    fsync, write_synced = os.fsync, files.write_synced

    def counted_fsync(descriptor: int) -> None:
        if is_reached():
            fault()
        fsync(descriptor)

    def counted_write(path: Path, content: bytes) -> None:
        if is_reached():
            path.write_bytes(content[: len(content) // 2])
            fault()
        write_synced(path, content)

    sys.addaudithook(hook)
    os.fsync = counted_fsync
    files.write_synced = checkpoint.write_synced = counted_write


def kill_process() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def raise_os_error(number: int) -> Callable[[], None]:
    """Return a function that raises the system's error of this `errno`."""

    def fault() -> None:
        raise OSError(number, os.strerror(number))

    return fault
