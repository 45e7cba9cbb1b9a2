"""Put a calibration temperature inside a network."""

import copy

import numpy as np
import torch
from torch import nn

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.errors import ExportError
from cnn_mnist.networks.classify import classify
from cnn_mnist.networks.trace import trace


def fold_temperature(model: nn.Module, temperature: float) -> nn.Module:
    """Return a copy of a network whose logits are divided by a temperature, at no cost in use.

    The weights of the last layer are divided.

    Raises:
        ExportError: the logits are not the output of the last layer, or that is not linear.
    """
    logits = classify(model, np.zeros((1, IMAGE_SIZE, IMAGE_SIZE), np.uint8))
    layers = trace(model, torch.zeros(1, 1, IMAGE_SIZE, IMAGE_SIZE))
    name, layer, output = layers[-1] if layers else ("", model, torch.empty(0))
    if not isinstance(layer, nn.Linear) or not np.array_equal(output.numpy(), logits):
        raise ExportError(
            f"{type(model).__name__} cannot be calibrated: its logits must be the output of its "
            "last layer, an nn.Linear; export it uncalibrated"
        )
    scaled = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in scaled.get_submodule(name).parameters():
            parameter.div_(temperature)
    return scaled
