"""Put a calibration temperature inside a network."""

import copy
from typing import Any

import numpy as np
import torch
from torch import nn

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.networks.classify import classify
from cnn_mnist.networks.trace import trace


def fold_temperature(model: nn.Module, temperature: float) -> nn.Module:
    """Return a copy of a network whose logits are divided by a temperature.

    Where the logits are the output of a dense layer that does nothing else, its weights are
    divided, at no cost in use; else the output of the network is.
    """
    scaled = copy.deepcopy(model)
    last = _last_layer(scaled)
    if last is None:
        scaled.register_forward_hook(_Division(temperature))
    else:
        with torch.no_grad():
            for parameter in last.parameters():
                parameter.div_(temperature)
    return scaled


class _Division:
    """Divide what a network returns."""

    def __init__(self, temperature: float) -> None:
        self._temperature = temperature

    def __call__(self, network: nn.Module, inputs: Any, logits: torch.Tensor) -> torch.Tensor:
        return logits / self._temperature


def _last_layer(model: nn.Module) -> nn.Linear | None:
    """Return the dense layer whose output the logits are, if its weights have no other use."""
    logits = classify(model, np.zeros((1, IMAGE_SIZE, IMAGE_SIZE), np.uint8))
    layers = trace(model, torch.zeros(1, 1, IMAGE_SIZE, IMAGE_SIZE))
    if not layers:
        return None
    _, last, output = layers[-1]
    uses = sum(layer is last for _, layer, _ in layers)
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    shared = len(names) > len(list(model.parameters()))
    if type(last) is not nn.Linear or uses > 1 or shared:
        return None
    return last if np.array_equal(output.numpy(), logits) else None
