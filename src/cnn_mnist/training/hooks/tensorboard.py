"""Write the metrics of a run for TensorBoard."""

from collections.abc import Callable, Mapping
from pathlib import Path

from cnn_mnist.errors import needs_extra
from cnn_mnist.runs.run import Run
from cnn_mnist.training.hooks.hook import HOOKS, End, Hook, Start


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
        """Add each metric as a scalar."""
        if self._writer is not None:
            for name, value in metrics.items():
                if name != "step":
                    self._writer.add_scalar(name, value, int(metrics["step"]))

    def end(self, end: End) -> None:
        """Flush and close."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


@HOOKS.register("tensorboard")
def tensorboard(run: Run) -> Hook:
    """Return a hook that writes events to `tensorboard/` in the run directory."""
    return TensorBoard(run.path / "tensorboard")
