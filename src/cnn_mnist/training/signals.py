"""Catch Ctrl-C, SIGTERM and SIGHUP, so that a run ends after its step and a checkpoint."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, TypeAlias

Handlers: TypeAlias = Mapping[signal.Signals, Any]

STOPPING: Final = tuple(
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""What ends a run; Windows has no SIGHUP, which a terminal sends when it is closed."""

_PARENT_POLL_S: Final = 0.5


@contextmanager
def catch_signals() -> Iterator[list[signal.Signals]]:
    """Collect the first stopping signal in the yielded list; a second one stops at once."""
    received: list[signal.Signals] = []

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(signal.Signals(number))
        restore_handlers(before)

    before = handle_signals(receive, STOPPING)
    try:
        yield received
    finally:
        restore_handlers(before)


def handle_signals(
    handler: Callable[[int, FrameType | None], None], numbers: Sequence[signal.Signals]
) -> Handlers:
    """Set a handler for signals, and return the handlers that it replaces.

    Python delivers signals to the main thread only: in another one nothing is set. SIGHUP stays
    ignored where it is, as by `nohup`.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    before = {
        number: signal.getsignal(number)
        for number in numbers
        if number.name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN
    }
    for number in before:
        signal.signal(number, handler)
    return before


def restore_handlers(before: Handlers) -> None:
    """Set the handlers that `handle_signals` replaced."""
    for number, handler in before.items():
        signal.signal(number, handler)


def stop_with_parent() -> None:
    """Send this process SIGTERM when the process that started it has ended, however it ended."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_POLL_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent watch").start()
