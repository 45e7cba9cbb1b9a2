"""Follow images through a network layer by layer."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.networks.table import Layer


def trace(model: nn.Module, images: torch.Tensor) -> list[tuple[str, nn.Module, torch.Tensor]]:
    """Record the output of each layer, without dropout, in the order in which images pass them.

    Args:
        model: stays as it is.
        images: `(B, 1, 28, 28) float32 in [0, 1]`, on the model's device.

    Returns:
        Name, layer and output `(B, ...)` of each layer that returns a tensor.
    """
    outputs: list[tuple[str, nn.Module, torch.Tensor]] = []

    def record(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(layer: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor):  # an LSTM returns a tuple
                outputs.append((name, layer, output))

        return hook

    traced = copy.deepcopy(model).eval()
    for name, layer in traced.named_children():
        layer.register_forward_hook(record(name))
    with torch.inference_mode():
        traced(images)
    return outputs


def layer_table(model: nn.Module) -> list[Layer]:
    """Return the table of a network's layers, in the order in which an image passes them."""
    return [
        Layer(
            name=name,
            kind=type(layer).__name__,
            output=tuple(output.shape[1:]),
            parameters=sum(parameter.numel() for parameter in layer.parameters()),
            flops=_flops(layer, output),
        )
        for name, layer, output in trace(model, torch.zeros(1, 1, IMAGE_SIZE, IMAGE_SIZE))
    ]


def _flops(layer: nn.Module, output: torch.Tensor) -> int:
    if not isinstance(layer, nn.Conv2d | nn.Linear):
        return 0
    products = layer.weight[0].numel()  # for one output value; the bias makes up the missing sum
    return 2 * products * output.numel()
