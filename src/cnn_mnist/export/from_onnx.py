"""Turn a model file of this package back into a torch network."""

import json
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnn_mnist.errors import ModelError
from cnn_mnist.inference.model import Model
from cnn_mnist.networks import NETWORKS
from cnn_mnist.networks.build import build
from cnn_mnist.recipe import Recipe

Arrays = dict[str, npt.NDArray[np.float32]]

_KEYS: Final = ("weight", "bias", "running_mean", "running_var")
"""What the inputs of a node are, after the values that it works on."""


def load_network(path: Path) -> tuple[nn.Module, dict[str, str]]:
    """Rebuild the network of a model file that `export_onnx` wrote.

    A normalisation that the exporter has folded into the layer before it becomes one that only adds
    the folded bias: the network computes the same.

    Returns:
        The network in eval mode, and the file's metadata.

    Raises:
        ModelError: the file cannot be used, was not written by this package, has 8-bit
            arithmetic, or holds a network of the user's own.
    """
    model = Model(path)
    try:
        recipe = Recipe.from_dict(json.loads(model.metadata["recipe"]))
        _require_package_network(path, recipe)
        network = build(recipe, model.classes)
        network.load_state_dict(_state(network, _arrays(path)))
    except (KeyError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(
            f"{path} cannot be turned back into a network ({reason:.200}): give a run directory, "
            "or a float32 model file that cnn-mnist wrote"
        ) from error
    return network.eval(), model.metadata


def _require_package_network(path: Path, recipe: Recipe) -> None:
    """Refuse a file of the user's own network: what its nodes are called says too little."""
    if NETWORKS.is_own(recipe.network):
        raise ModelError(
            f"{path} holds the network {recipe.network}, which is your own and cannot be turned "
            "back into torch: give its run directory"
        )


def _arrays(path: Path) -> Arrays:
    """Return the file's weights by the names of the network's state, those in 8 bits unpacked.

    They are found by their nodes, which are named after the layers: the exporter keeps equal ones,
    such as zero biases, only once.
    """
    graph = onnx.load(path).graph
    stored = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    for name in [name for name in stored if name.endswith("_int8")]:  # see `int8.pack_kernels`
        plain = name.removesuffix("_int8")
        stored[plain] = stored[name].astype(np.float32) * stored[f"{plain}_scale"]
    return {
        f"{node.name}.{key}": stored[value]
        for node in graph.node
        if node.op_type in ("Conv", "Gemm", "BatchNormalization")
        for key, value in zip(_KEYS, node.input[1:], strict=False)
    }


def _state(network: nn.Module, arrays: Arrays) -> dict[str, torch.Tensor]:
    """Return the network's state from a file's arrays; raise `KeyError` for a missing one."""
    state = network.state_dict()
    before = ""
    for name, layer in network.named_modules():
        folded = isinstance(layer, _BatchNorm) and f"{name}.weight" not in arrays
        if folded:
            state |= _bias_only(name, layer, arrays, None if f"{before}.bias" in state else before)
        else:
            own = [key for key in layer.state_dict() if "." not in key]
            for key in (f"{name}.{key}" for key in own if key != "num_batches_tracked"):
                state[key] = torch.from_numpy(arrays[key].copy())
        if isinstance(layer, nn.Conv2d | nn.Linear):
            before = name
    return state


def _bias_only(
    name: str, layer: nn.Module, arrays: Arrays, before: str | None
) -> dict[str, torch.Tensor]:
    """Return the state of a normalisation that adds the bias of the layer `before` and no more."""
    assert isinstance(layer, _BatchNorm)
    ones = torch.ones(layer.num_features)
    bias = torch.from_numpy(arrays[f"{before}.bias"].copy()) if before else 0 * ones
    return {
        f"{name}.weight": ones,
        f"{name}.bias": bias,
        f"{name}.running_mean": 0 * ones,
        f"{name}.running_var": ones - layer.eps,
    }
