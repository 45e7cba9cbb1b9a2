"""Describe a network's layers as a table; needs no torch, so that a model file has one too."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Layer:
    """One row of a network's table."""

    name: str
    kind: str
    output: tuple[int, ...]
    """Shape of the output for one image."""
    parameters: int
    flops: int
    """Multiplications and additions for one image, those of activations and pooling excluded."""


def describe(table: Sequence[Layer]) -> dict[str, Any]:
    """Return a table as plain JSON values: `layers`, and the sums `parameters` and `flops`."""
    return {
        "layers": [vars(layer) | {"output": list(layer.output)} for layer in table],
        "parameters": sum(layer.parameters for layer in table),
        "flops": sum(layer.flops for layer in table),
    }
