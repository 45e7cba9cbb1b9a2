"""Keep the checkpoint with the lowest validation loss in a run's `best/`.

What it knows is read from the disk each time that training begins: the checkpoint in `best/`, and
its loss in `metrics.jsonl`, where it is written first. A kill between the two is made good by
comparing the checkpoint from which training goes on once more.
"""

import warnings
from math import inf
from pathlib import Path

from cnn_mnist.errors import CheckpointError, CnnMnistWarning, RunError, os_errors_as
from cnn_mnist.runs.checkpoint import Checkpoint, found, load, remove, save, step_of
from cnn_mnist.runs.run import Run, read_metrics


class Best:
    """The best checkpoint of a run so far.

    Args:
        run: the run directory; from now on it has a `best/`.
        checkpoint: what training goes on from; None in a new run.

    Raises:
        RunError: the directory cannot be read or written.
    """

    def __init__(self, run: Run, checkpoint: Checkpoint | None) -> None:
        self._folder = run.best
        self._loss = inf
        with os_errors_as(RunError, f"{run.best} cannot be written"):
            run.best.mkdir(parents=True, exist_ok=True)
        first_step = checkpoint.step if checkpoint else 0
        losses = {step: loss for step, loss in _losses(run).items() if step <= first_step}
        self._loss = self._kept_loss(losses)
        if self._loss == inf and any(step < first_step for step in losses):
            warnings.warn(
                f"{run.best}: the best checkpoint is chosen from step {first_step} on, since "
                "earlier ones were not compared",
                CnnMnistWarning,
                stacklevel=3,
            )
        if checkpoint and first_step in losses:
            self.offer(losses[first_step], checkpoint)

    def offer(self, loss: float, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint in place of the one before if its validation loss is lower.

        Raises:
            CheckpointError: it could not be written; the one before is untouched.
        """
        if loss < self._loss:
            save(self._folder, checkpoint, keep=1)
            self._loss = loss

    def _kept_loss(self, losses: dict[float, float]) -> float:
        """Return the loss of the checkpoint that is kept, inf where there is none.

        Removed are a damaged one, one newer than what training goes on from (those steps are done
        again, and perhaps otherwise), and one that a newer one was about to replace.
        """
        kept = inf
        for path in found(self._folder):
            step = step_of(path)
            if kept == inf and step in losses and _is_whole(path):
                kept = losses[step]
                continue
            with os_errors_as(RunError, f"{path} cannot be removed"):
                remove(path)
        return kept


def _losses(run: Run) -> dict[float, float]:
    """Return the validation loss of each step that has one."""
    rows = read_metrics(run)
    return {row["step"]: row["validation_loss"] for row in rows if "validation_loss" in row}


def _is_whole(path: Path) -> bool:
    """Return whether a checkpoint can be read; a `CnnMnistWarning` says why one cannot."""
    try:
        load(path)
    except CheckpointError as error:
        warnings.warn(f"{error}; it is removed", CnnMnistWarning, stacklevel=5)
        return False
    return True
