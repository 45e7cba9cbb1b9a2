"""Average loss and accuracy over the steps between two lines of metrics."""

import torch

from cnn_mnist.errors import NonFiniteLossError
from cnn_mnist.training.distributed import Group
from cnn_mnist.training.hooks import Step


class Meter:
    """Means over the steps since they were last taken; reads the device only then.

    All processes of a group measure the same steps and get the same means.
    """

    def __init__(self, seconds: float, group: Group) -> None:
        self._group = group
        self._reset(seconds)

    def _reset(self, seconds: float) -> None:
        self._steps: list[tuple[int, torch.Tensor, torch.Tensor]] = []
        self._images = 0
        self._since = seconds

    def add(self, step: Step) -> None:
        """Take a step in."""
        loss = step.loss if step.weight == 1 else step.loss * step.weight
        self._steps.append((step.number, loss, (step.classes == step.labels).sum()))
        self._images += len(step.labels)

    def check(self) -> None:
        """Raise `NonFiniteLossError` if any loss since the last time is NaN or infinite."""
        self._losses()

    def _losses(self) -> torch.Tensor:
        """Return the losses of the whole batches since the last time, all of them finite."""
        if not self._steps:
            return torch.empty(0)
        losses = self._group.mean(torch.stack([loss for _, loss, _ in self._steps]))
        for (number, *_), loss in zip(self._steps, losses, strict=True):
            if not loss.isfinite():
                raise NonFiniteLossError(
                    f"the loss is {float(loss)} at step {number}: lower the recipe's learning rate"
                )
        return losses

    def take(self, seconds: float) -> dict[str, float]:
        """Return the metrics since the last time, at `seconds` on the clock, and start anew."""
        losses = self._losses()
        hits = torch.stack([hits for *_, hits in self._steps]).sum()
        images = torch.tensor(self._images, device=hits.device)
        hits, images = self._group.all_reduce_sum(torch.stack((hits, images))).tolist()
        metrics = {
            "step": self._steps[-1][0],
            "loss": float(losses.mean()),
            "accuracy": hits / images,
            "images_per_second": images / (seconds - self._since),
        }
        self._reset(seconds)
        return metrics
