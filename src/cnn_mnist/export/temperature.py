"""Put a calibration temperature inside a network."""

import copy

import torch
from torch import nn


def fold_temperature(model: nn.Module, temperature: float) -> nn.Module:
    """Return a copy of a network whose logits are divided by a temperature, at no cost in use."""
    scaled = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in scaled.get_submodule("logits").parameters():
            parameter.div_(temperature)
    return scaled
