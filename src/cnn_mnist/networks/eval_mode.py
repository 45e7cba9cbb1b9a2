"""Use a network without dropout for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def in_eval_mode(model: nn.Module) -> Iterator[None]:
    """Put a network into eval mode for the block; afterwards each of its layers is as it was.

    A network may keep some layers in eval mode while it is trained (frozen normalisation), so that
    `model.train()` would not do.
    """
    modes = [(layer, layer.training) for layer in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training
