"""Choose the images of each training step: seeded, repeating, without any state.

The batch of step k is a pure function of (number of images, batch size, seed, k), so a run can
resume exactly at any step. Epochs follow each other without a gap: a batch may end one epoch and
begin the next, and every epoch contains every image once.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt


class BatchOrder:
    """The indices of the images of each step.

    Args:
        size: the number of images.
        batch_size: images per step.
        seed: decides the order; each epoch has its own.
        num_epochs: how often each image comes; None repeats for ever.
        shuffle: whether an epoch has an order of its own; else all have that of the images.

    Raises:
        ValueError: an argument is below 1 (the seed: below 0).
    """

    def __init__(
        self,
        size: int,
        batch_size: int,
        *,
        seed: int = 0,
        num_epochs: int | None = None,
        shuffle: bool = True,
    ) -> None:
        if size < 1 or batch_size < 1 or seed < 0 or (num_epochs is not None and num_epochs < 1):
            raise ValueError(
                f"size={size}, batch_size={batch_size}, num_epochs={num_epochs} must be at least "
                f"1, seed={seed} at least 0"
            )
        self.size = size
        self.batch_size = batch_size
        self.seed = seed
        self.num_epochs = num_epochs
        self._shuffle = shuffle
        self._epoch = -1
        self._permutation: npt.NDArray[np.int64] = np.empty(0, np.int64)

    @property
    def steps(self) -> int | None:
        """The number of steps, the last of which may be smaller; None where they never end."""
        if self.num_epochs is None:
            return None
        return -(-self.size * self.num_epochs // self.batch_size)

    def __getitem__(self, step: int) -> npt.NDArray[np.int64]:
        """Return the image indices, `(batch_size,) int64`, of a step counted from 0.

        Raises:
            IndexError: the step is negative or after the last epoch.
        """
        if step < 0 or (self.steps is not None and step >= self.steps):
            raise IndexError(f"step {step} of {self.steps}")
        start, end = step * self.batch_size, (step + 1) * self.batch_size
        if self.num_epochs is not None:
            end = min(end, self.size * self.num_epochs)
        parts = []
        while start < end:
            epoch, offset = divmod(start, self.size)
            part = self._order_of(epoch)[offset : offset + end - start]
            parts.append(part)
            start += len(part)
        return np.concatenate(parts)

    def __iter__(self) -> Iterator[npt.NDArray[np.int64]]:
        step = 0
        while self.steps is None or step < self.steps:
            yield self[step]
            step += 1

    def _order_of(self, epoch: int) -> npt.NDArray[np.int64]:
        """Return an epoch's permutation of all indices; the last one used is kept."""
        if epoch != self._epoch:
            if self._shuffle:
                self._permutation = np.random.default_rng([self.seed, epoch]).permutation(self.size)
            else:
                self._permutation = np.arange(self.size)
            self._epoch = epoch
        return self._permutation
