"""Measure the time of training."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Count seconds of training, pauses excluded.

    Args:
        seconds: those of earlier sessions of the run.
    """

    def __init__(self, seconds: float) -> None:
        self._start = time.perf_counter() - seconds

    def seconds(self) -> float:
        """Return the seconds so far, those of earlier sessions included."""
        return time.perf_counter() - self._start

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the time of the block out."""
        paused_at = time.perf_counter()
        yield
        self._start += time.perf_counter() - paused_at
