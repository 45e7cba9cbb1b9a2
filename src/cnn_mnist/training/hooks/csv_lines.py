"""Keep the loss of a run in `loss.csv`."""

from collections.abc import Mapping

from cnn_mnist.runs.run import Run
from cnn_mnist.training.hooks.hook import HOOKS, Hook


class CsvLines(Hook):
    """Appends step and loss."""

    def __init__(self, run: Run) -> None:
        self._path = run.path / "loss.csv"

    def on_metrics(self, metrics: Mapping[str, float]) -> None:
        """Append a line."""
        if "loss" in metrics:
            with self._path.open("a", encoding="utf-8") as file:
                print(metrics["step"], metrics["loss"], sep=",", file=file)


HOOKS.register("csv")(CsvLines)
