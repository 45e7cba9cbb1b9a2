"""Hold the weights that a run starts from, where they are not drawn from its seed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from cnn_mnist.errors import RunError


@dataclass(frozen=True, eq=False, kw_only=True)
class StartWeights:
    """The trained weights of a network, to train on from there."""

    source: str
    """Where they were read, for messages."""
    network: str
    """The network's name, see `Recipe.network`."""
    weights: Mapping[str, torch.Tensor]
    """Its state."""
    class_names: tuple[str, ...]
    """Of its logits."""

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of all weights, with their names and shapes."""
        digest = hashlib.sha256()
        for name, value in sorted(self.weights.items()):
            digest.update(f"{name}:{value.dtype}:{tuple(value.shape)}:".encode())
            digest.update(value.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def fitted(start: StartWeights, model: nn.Module) -> tuple[dict[str, torch.Tensor], list[str]]:
    """Return the state to start a network from; its last layer may have another number of classes.

    Args:
        start: the weights.
        model: the network with its drawn weights.

    Returns:
        The state, and the names of the weights in it that stay as drawn: those of the one layer
        that has another number of classes.

    Raises:
        RunError: the weights are of another network.
    """
    drawn = model.state_dict()
    others = [
        name
        for name, value in drawn.items()
        if name not in start.weights or start.weights[name].shape != value.shape
    ]
    layers = {name.rpartition(".")[0] for name in others}
    unknown = start.weights.keys() - drawn.keys()
    if unknown or len(layers) > 1 or not all(_is_row(start, drawn, name) for name in others):
        raise RunError(
            f"the weights of {start.source} are of the network {start.network} and do not fit "
            f"({min(unknown) if unknown else others[0]}): train that network"
        )
    return {name: drawn[name] if name in others else start.weights[name] for name in drawn}, others


def _is_row(start: StartWeights, drawn: Mapping[str, torch.Tensor], name: str) -> bool:
    """Return whether a weight differs only in its first length, and has one row a class before."""
    if name not in start.weights or not start.weights[name].ndim:
        return False
    before, now = start.weights[name].shape, drawn[name].shape
    return before[1:] == now[1:] and before[0] == len(start.class_names)
