"""What watches a run: the progress shown, the metrics kept, the tensors logged.

A hook is any object of class `Hook`; each method does nothing unless overridden. Hooks look and
never touch: the weights of a run are the same with any hooks or none.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, TextIO

import numpy as np
import torch
from torch import nn

from cnn_mnist.errors import CnnMnistError, HookError, RunError, needs_extra
from cnn_mnist.files import read_bounded, replace
from cnn_mnist.recipe import Recipe

_MAX_BYTES: Final = 1 << 28


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a hook learns before the first step."""

    run_dir: Path
    recipe: Recipe
    model: nn.Sequential
    first_step: int
    """Steps done already: 0 in a new run."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a hook sees after each step. Tensors are the run's own, on its device."""

    number: int
    """Steps done, this one included."""
    loss: torch.Tensor
    """`()`, the mean over the batch."""
    logits: torch.Tensor
    """`(B, classes)`, before this step's update."""
    labels: torch.Tensor
    """`(B,)`."""

    @cached_property
    def probabilities(self) -> torch.Tensor:
        """`(B, classes)`, softmax of the logits."""
        return self.logits.softmax(dim=1)

    @cached_property
    def classes(self) -> torch.Tensor:
        """`(B,)`, the most probable class of each image."""
        return self.logits.argmax(dim=1)


class Hook:
    """Watches a run. Override what you need."""

    def begin(self, start: Start) -> None:
        """Called before the first step."""

    def after_step(self, step: Step) -> None:
        """Called after every step; anything slow here slows training."""

    def on_metrics(self, metrics: Mapping[str, float]) -> None:
        """Called every `log_every` steps and after each validation.

        `metrics` has `step` and either `loss`, `accuracy` (means over the steps since the last
        time), `learning_rate` and `images_per_second`; or `validation_loss` and
        `validation_accuracy`.
        """

    def end(self) -> None:
        """Called once after the last step, also when the run is stopped or fails."""


@contextmanager
def blamed(hook: Hook) -> Iterator[None]:
    """Name the hook where it fails; an error of this package says enough by itself.

    Raises:
        HookError: anything went wrong inside the block.
    """
    try:
        yield
    except CnnMnistError:
        raise
    except Exception as error:
        kind = type(error).__name__
        raise HookError(f"the hook {type(hook).__name__} failed: {kind}: {error}") from error


class JsonLines(Hook):
    """Keeps every metric in `metrics.jsonl`, one object a line.

    A resumed run first drops the lines of steps that it is about to do again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: TextIO | None = None

    def begin(self, start: Start) -> None:
        """Open the file; lines after the first step, and a torn last line, are dropped."""
        try:
            content = read_bounded(self.path, _MAX_BYTES) if self.path.exists() else b""
            lines = content.splitlines(keepends=True)
            replace(self.path, b"".join(ln for ln in lines if _step_of(ln) <= start.first_step))
            self._stream = self.path.open("a", encoding="utf-8")
        except OSError as error:
            reason = error.strerror or error
            raise RunError(f"{self.path} cannot be written: {reason}") from error

    def on_metrics(self, metrics: Mapping[str, float]) -> None:
        """Append a line and hand it to the operating system."""
        if self._stream is not None:
            try:
                print(json.dumps(metrics), file=self._stream, flush=True)
            except OSError as error:
                raise RunError(
                    f"{self.path} cannot be written: {error.strerror or error}"
                ) from error

    def end(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _step_of(line: bytes) -> float:
    """The step of a line of metrics; of one that is torn or damaged, none that was ever done."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return float("inf")


class LogTensors(Hook):
    """Prints named tensors every so many steps, as the tutorial's `LoggingTensorHook` does.

    Args:
        names: of a step: `loss`, `logits`, `probabilities`, `classes`, `labels`; or of the model:
            a parameter, such as `conv1.weight`.
        every: steps between two prints.
        file: where to; standard error unless given.

    Raises:
        RunError: (on begin) there is no tensor of a name.
    """

    OF_STEP = ("loss", "logits", "probabilities", "classes", "labels")

    def __init__(
        self, names: Sequence[str], *, every: int = 50, file: TextIO | None = None
    ) -> None:
        self.names = tuple(names)
        self.every = every
        self.file = file
        self._parameters: dict[str, nn.Parameter] = {}

    def begin(self, start: Start) -> None:
        """Check the names."""
        self._parameters = dict(start.model.named_parameters())
        for name in self.names:
            if name not in self.OF_STEP and name not in self._parameters:
                known = ", ".join((*self.OF_STEP, *self._parameters))
                raise RunError(f"no tensor is called {name!r}: expected {known}")

    def after_step(self, step: Step) -> None:
        """Print the tensors of every `every`-th step."""
        if step.number % self.every == 0:
            for name in self.names:
                tensor = self._parameters[name] if name in self._parameters else getattr(step, name)
                array = tensor.detach().cpu().numpy()
                values = np.array2string(array, precision=4, suppress_small=True, threshold=100)
                print(f"step {step.number}: {name} = {values}", file=self.file or sys.stderr)


class TensorBoard(Hook):
    """Writes the metrics as TensorBoard events.

    Args:
        path: the folder for the event files.

    Raises:
        MissingExtraError: TensorBoard is not installed.
    """

    def __init__(self, path: Path) -> None:
        with needs_extra("tensorboard", "--tensorboard"):
            from torch.utils.tensorboard.writer import SummaryWriter
        self._make: Callable[..., SummaryWriter] = SummaryWriter
        self._path = path
        self._writer: SummaryWriter | None = None

    def begin(self, start: Start) -> None:
        """Open the events; those after the first step are marked as superseded."""
        self._writer = self._make(str(self._path), purge_step=start.first_step + 1)

    def on_metrics(self, metrics: Mapping[str, float]) -> None:
        """Add each figure as a scalar."""
        if self._writer is not None:
            for name, value in metrics.items():
                if name != "step":
                    self._writer.add_scalar(name, value, int(metrics["step"]))

    def end(self) -> None:
        """Flush and close."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class PlainProgress(Hook):
    """A line for every set of metrics: for logs and pipes."""

    def __init__(self, file: TextIO | None = None) -> None:
        self.file = file
        self._steps = 0
        self._first = 0
        self._began = 0.0

    def begin(self, start: Start) -> None:
        """Note where and when the run began."""
        self._steps, self._first = start.recipe.steps, start.first_step
        self._began = time.perf_counter()

    def on_metrics(self, metrics: Mapping[str, float]) -> None:
        """Print them, with the time left."""
        step = int(metrics["step"])
        text = _summary(metrics)
        if step > self._first and "loss" in metrics:
            pace = (time.perf_counter() - self._began) / (step - self._first)
            text += f"  {_duration(pace * (self._steps - step))} left"
        print(f"step {step}/{self._steps}  {text}", file=self.file or sys.stderr, flush=True)


class ProgressBar(Hook):
    """A live bar on the terminal, with the latest metrics and the time left."""

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
        """Show the figures; those of a validation stay on the screen."""
        if "loss" in metrics:
            self._progress.update(self._task, description=_summary(metrics))
        else:
            self._progress.console.print(f"step {int(metrics['step']):,}: {_summary(metrics)}")

    def end(self) -> None:
        """Leave the bar where it is."""
        self._progress.stop()


def progress() -> Hook:
    """The live bar on a terminal, plain lines elsewhere."""
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
    return (
        f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
        if minutes >= 60
        else (f"{minutes}:{seconds:02d}")
    )
