"""Stop a run whose validation loss no longer falls."""

from collections.abc import Callable, Mapping
from math import inf

from cnn_mnist.runs.run import Run, read_metrics
from cnn_mnist.training.hooks.hook import Hook, Start


class EarlyStopping(Hook):
    """Asks for a stop after `patience` validation passes in a row without a new lowest loss.

    Counted are the passes at multiples of the recipe's `checkpoint_every`: one more, after a stop
    in between or at an earlier last step, changes nothing. What it knows is read from
    `metrics.jsonl` each time that training begins, so that a run that was killed stops at the same
    step as an undisturbed one, a stopped one stays stopped, and one with more patience goes on.

    Args:
        patience: at least 1.

    Raises:
        ValueError: `patience` is less than 1.
    """

    def __init__(self, patience: int) -> None:
        if patience < 1:
            raise ValueError(f"patience={patience}: expected at least 1")
        self.patience = patience

    def begin(self, start: Start) -> None:
        """Take in the validation passes that there were."""
        self._every = start.recipe.checkpoint_every
        self._request_stop: Callable[[str], None] = start.request_stop
        self._lowest, self._lowest_step, self._passes = inf, 0, 0
        for metrics in read_metrics(Run(start.run_dir)):
            if metrics["step"] <= start.first_step:
                self._count(metrics)
        self._stop_if_due()

    def on_metrics(self, metrics: Mapping[str, float]) -> None:
        """Take in a validation pass, and ask for a stop where it was the last to wait for."""
        self._count(metrics)
        self._stop_if_due()

    def _count(self, metrics: Mapping[str, float]) -> None:
        if "validation_loss" not in metrics or metrics["step"] % self._every:
            return
        self._passes += 1
        if metrics["validation_loss"] < self._lowest:
            self._lowest, self._lowest_step = metrics["validation_loss"], int(metrics["step"])
            self._passes = 0

    def _stop_if_due(self) -> None:
        if self._passes >= self.patience:
            passes = "validation pass" if self._passes == 1 else "validation passes"
            self._request_stop(
                f"no lower validation loss in {self._passes} {passes} (the lowest is "
                f"{self._lowest:.4f}, at step {self._lowest_step})"
            )
