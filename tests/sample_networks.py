"""Networks with arbitrary weights, for the tests of the exports."""

import torch
from tiny import tiny_recipe
from torch import nn

from cnn_mnist.networks.build import build


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
