"""Print named tensors while a network is trained."""

import sys
from collections.abc import Sequence
from typing import TextIO

import numpy as np
from torch import nn

from cnn_mnist.errors import RunError
from cnn_mnist.training.hooks.hook import Hook, Start, Step


class LogTensors(Hook):
    """Prints named tensors every so many steps, as the tutorial's `LoggingTensorHook` does.

    Args:
        names: of a step: `loss`, `logits`, `probabilities`, `classes`, `labels`; or of the model:
            a parameter, such as `conv1.weight`.
        every: steps between two prints.
        file: where to; standard error unless given.

    Raises:
        RunError: (on begin) no tensor has one of the names.
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
        """Find the tensors."""
        self.require_known(start.model)
        self._parameters = dict(start.model.named_parameters())

    def require_known(self, model: nn.Module) -> None:
        """Raise `RunError` where neither a step nor the network has a tensor of such a name."""
        known = [*self.OF_STEP, *dict(model.named_parameters())]
        for name in self.names:
            if name not in known:
                raise RunError(f"no tensor is called {name!r}: expected {', '.join(known)}")

    def after_step(self, step: Step) -> None:
        """Print the tensors of every `every`-th step."""
        if step.number % self.every == 0:
            for name in self.names:
                tensor = self._parameters[name] if name in self._parameters else getattr(step, name)
                array = tensor.detach().cpu().numpy()
                values = np.array2string(array, precision=4, suppress_small=True, threshold=100)
                print(f"step {step.number}: {name} = {values}", file=self.file or sys.stderr)
