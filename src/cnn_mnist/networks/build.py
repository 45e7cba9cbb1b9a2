"""Build a recipe's network, and load a checkpoint's weights into it."""

from collections.abc import Mapping

import torch
from torch import nn

from cnn_mnist.errors import RunError
from cnn_mnist.networks.own import build_own
from cnn_mnist.networks.registry import NETWORKS
from cnn_mnist.recipe import Recipe


def build(recipe: Recipe, classes: int, generator: torch.Generator | None = None) -> nn.Module:
    """Build a recipe's network with TensorFlow's initialisers: Glorot-uniform kernels, zero biases.

    A network of the user's own stays as its function returns it, see `own.build_own`. Source:
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    2010.

    Args:
        recipe: names the network and its dropout.
        classes: the number of logits.
        generator: draws the kernels; None takes torch's own.

    Raises:
        RecipeError: no network has the recipe's name, or one of the user's own cannot be used.
    """
    if NETWORKS.is_own(recipe.network):
        seed = generator.initial_seed() if generator else None
        return build_own(recipe.network, classes, dropout=recipe.dropout, seed=seed)
    model = NETWORKS.get(recipe.network)(classes, dropout=recipe.dropout)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    # Channels last is the memory order in which the CPU's and the GPU's kernels are fastest.
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def load_weights(model: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Copy weights into a network.

    Raises:
        RunError: names or shapes differ.
    """
    try:
        model.load_state_dict(dict(weights))
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise RunError(f"the checkpoint's weights do not fit the network: {reason:.300}") from error
