"""Networks with arbitrary weights, for the tests of the exports."""

from dataclasses import replace
from itertools import pairwise

import torch
from tiny import tiny_recipe
from torch import nn

from cnn_mnist.networks.build import build
from cnn_mnist.networks.table import Layer
from cnn_mnist.networks.trace import layer_table


def sample_network(network: str) -> nn.Module:
    """Return a network with dropout, in training mode, none of whose values is an initial one."""
    generator = torch.Generator().manual_seed(5)
    model = build(tiny_recipe(network=network), 10, generator).train()
    # a trained network has no biases of zero, which an export would leave out
    for name, value in model.state_dict().items():
        if name.endswith(("bias", "running_mean")):
            nn.init.uniform_(value, -0.1, 0.1, generator=generator)
        elif name.endswith("running_var") or ("norm" in name and value.ndim):
            nn.init.uniform_(value, 0.5, 1.5, generator=generator)
    return model


def folded(model: nn.Module) -> dict[str, str]:
    """Return the batch normalisations that are folded into the layer before them, by that layer."""
    return {
        before: name
        for (before, layer), (name, norm) in pairwise(model.named_children())
        if isinstance(layer, nn.Conv2d | nn.Linear)
        and isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    }


def as_exported(model: nn.Module) -> list[Layer]:
    """Return the network's table with those normalisations folded: only a bias is left of them."""
    norms = folded(model)
    table = []
    for layer in layer_table(model):
        if layer.name in norms and model.get_submodule(layer.name).bias is None:
            layer = replace(layer, parameters=layer.parameters + layer.output[0])
        if layer.name not in norms.values():
            table.append(layer)
    return table
