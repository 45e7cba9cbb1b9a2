"""Keep every metric of a run in `metrics.jsonl`."""

import json
from collections.abc import Mapping
from typing import TextIO

from cnn_mnist.errors import RunError, os_errors_as
from cnn_mnist.files import replace, sync_file
from cnn_mnist.runs.run import Run, read_metrics
from cnn_mnist.training.hooks.hook import End, Hook, Start


class JsonLines(Hook):
    """Appends every set of metrics as one JSON object a line.

    A resumed run first drops the lines of steps that it is about to do again. The metrics of a
    validation pass are on the disk before training goes on: early stopping and the best checkpoint
    depend on them.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._path = run.metrics_file
        self._stream: TextIO | None = None

    def begin(self, start: Start) -> None:
        """Open the file; lines after the first step, and a torn last line, are dropped."""
        lines = [_line(row) for row in read_metrics(self._run) if row["step"] <= start.first_step]
        with os_errors_as(RunError, f"{self._path} cannot be written"):
            replace(self._path, "".join(lines).encode())
            self._stream = self._path.open("a", encoding="utf-8")

    def on_metrics(self, metrics: Mapping[str, float]) -> None:
        """Append a line and pass it to the operating system."""
        if self._stream is not None:
            with os_errors_as(RunError, f"{self._path} cannot be written"):
                self._stream.write(_line(metrics))
                self._stream.flush()
                if "validation_loss" in metrics:
                    sync_file(self._stream.fileno(), self._path)

    def end(self, end: End) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _line(metrics: Mapping[str, float]) -> str:
    return json.dumps(dict(metrics)) + "\n"
