"""Show the progress of a run: a live bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Mapping
from typing import TextIO

from cnn_mnist.runs.run import Run
from cnn_mnist.training.hooks.hook import HOOKS, End, Hook, Start, Step


class PlainProgress(Hook):
    """Prints a line for every set of metrics, for logs and pipes."""

    def __init__(self, file: TextIO | None = None) -> None:
        self.file = file
        self._steps = 0
        self._first = 0
        self._start_s = 0.0

    def begin(self, start: Start) -> None:
        """Note where and when the run began."""
        self._steps, self._first = start.recipe.steps, start.first_step
        self._start_s = time.perf_counter()

    def on_metrics(self, metrics: Mapping[str, float]) -> None:
        """Print them, with the time left."""
        step = int(metrics["step"])
        text = _summary(metrics)
        if step > self._first and "loss" in metrics:
            pace = (time.perf_counter() - self._start_s) / (step - self._first)
            text += f"  {_duration(pace * (self._steps - step))} left"
        print(f"step {step}/{self._steps}  {text}", file=self.file or sys.stderr, flush=True)


class ProgressBar(Hook):
    """Shows a live bar on the terminal, with the latest metrics and the time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("step {task.completed:,.0f}/{task.total:,.0f}"),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task("")

    def begin(self, start: Start) -> None:
        """Show the bar."""
        self._progress.update(self._task, total=start.recipe.steps, completed=start.first_step)
        self._progress.start()

    def after_step(self, step: Step) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=step.number)

    def on_metrics(self, metrics: Mapping[str, float]) -> None:
        """Show the metrics; those of a validation pass stay on the screen."""
        if "loss" in metrics:
            self._progress.update(self._task, description=_summary(metrics))
        else:
            self._progress.console.print(f"step {int(metrics['step']):,}: {_summary(metrics)}")

    def end(self, end: End) -> None:
        """Leave the bar where it is."""
        self._progress.stop()


@HOOKS.register("progress")
def progress(run: Run) -> Hook:
    """Return the live bar on a terminal, plain lines elsewhere."""
    return ProgressBar() if sys.stderr.isatty() else PlainProgress()


def _summary(metrics: Mapping[str, float]) -> str:
    if "loss" in metrics:
        return (
            f"loss {metrics['loss']:.4f}  accuracy {metrics['accuracy']:.2%}  "
            f"{metrics['images_per_second']:,.0f} images/s"
        )
    return (
        f"validation loss {metrics['validation_loss']:.4f}  "
        f"accuracy {metrics['validation_accuracy']:.2%}"
    )


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{seconds:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
