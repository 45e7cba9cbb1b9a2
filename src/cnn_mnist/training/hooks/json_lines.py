"""Keep every metric of a run in `metrics.jsonl`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TextIO

from cnn_mnist.errors import RunError, os_errors_as
from cnn_mnist.files import read_bounded, replace
from cnn_mnist.training.hooks.hook import Hook, Start

_MAX_BYTES: Final = 1 << 28


class JsonLines(Hook):
    """Appends every set of metrics as one JSON object a line.

    A resumed run first drops the lines of steps that it is about to do again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: TextIO | None = None

    def begin(self, start: Start) -> None:
        """Open the file; lines after the first step, and a torn last line, are dropped."""
        with os_errors_as(RunError, f"{self.path} cannot be written"):
            content = read_bounded(self.path, _MAX_BYTES) if self.path.exists() else b""
            lines = content.splitlines(keepends=True)
            replace(self.path, b"".join(ln for ln in lines if _step_of(ln) <= start.first_step))
            self._stream = self.path.open("a", encoding="utf-8")

    def on_metrics(self, metrics: Mapping[str, float]) -> None:
        """Append a line and pass it to the operating system."""
        if self._stream is not None:
            with os_errors_as(RunError, f"{self.path} cannot be written"):
                print(json.dumps(metrics), file=self._stream, flush=True)

    def end(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _step_of(line: bytes) -> float:
    """Return the step of a line of metrics, infinity where the line is torn or damaged."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return float("inf")
