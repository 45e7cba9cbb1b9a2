"""Translate the names and the order of a network's weights between PyTorch and TensorFlow.

TensorFlow 1.x names a layer by its kind and numbers it: `conv2d`, `conv2d_1`, `dense`, `dense_1`.
It stores images as NHWC and kernels as HWIO, PyTorch as NCHW and OIHW. A dense layer behind the
flattening is a convolution that covers the whole image, so one permutation serves all kernels.
"""

import copy
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from torch import nn

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.errors import ExportError
from cnn_mnist.networks.classify import classify
from cnn_mnist.networks.custom_layers import Crop, GlobalPool
from cnn_mnist.networks.trace import layer_table

Array = npt.NDArray[np.float32]

_TO_HWIO: Final = (2, 3, 1, 0)
_TO_OIHW: Final = (3, 2, 0, 1)

_NORM: Final = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}
KINDS: Final[Mapping[type[nn.Module], tuple[str, Mapping[str, str]]]] = {
    nn.Conv2d: ("conv2d", {"weight": "kernel", "bias": "bias"}),
    nn.Linear: ("dense", {"weight": "kernel", "bias": "bias"}),
    nn.BatchNorm1d: ("batch_normalization", _NORM),
    nn.BatchNorm2d: ("batch_normalization", _NORM),
    nn.MaxPool2d: ("max_pooling2d", {}),
    nn.AvgPool2d: ("average_pooling2d", {}),
    GlobalPool: ("global_pool", {}),
    nn.Flatten: ("flatten", {}),
    nn.Dropout: ("dropout", {}),
    nn.ReLU: ("re_lu", {}),
    Crop: ("cropping2d", {}),
}
"""Each kind of layer: its name in TensorFlow (our own where Keras has no such layer), and the names
of its weights there by their PyTorch names, in TensorFlow's order."""


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One weight in PyTorch and in TensorFlow."""

    name: str
    """Its name in TensorFlow, such as `conv2d/kernel`."""

    key: str
    """Its key in the network's state, such as `conv1.weight`."""

    torch_shape: tuple[int, ...]
    """Its shape in PyTorch: `(O, I, H, W)`, `(outputs, inputs)` or `(outputs,)`."""

    oihw: tuple[int, ...]
    """The kernel's shape as a convolution; empty for a vector, whose order is the same in both."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape in TensorFlow: `(H, W, I, O)`, `(inputs, outputs)` or `(outputs,)`."""
        return self._hwio if len(self.torch_shape) == 4 else self.torch_shape[::-1]

    @property
    def _hwio(self) -> tuple[int, ...]:
        return tuple(self.oihw[axis] for axis in _TO_HWIO)

    def to_tensorflow(self, value: Array) -> Array:
        """Return a value of `torch_shape` in TensorFlow's order and `shape`."""
        if self.oihw:
            value = value.reshape(self.oihw).transpose(_TO_HWIO)
        return np.ascontiguousarray(value).reshape(self.shape)

    def to_torch(self, value: Array) -> Array:
        """Return a value of TensorFlow's `shape` in PyTorch's order and `torch_shape`."""
        if self.oihw:
            value = value.reshape(self._hwio).transpose(_TO_OIHW)
        return np.ascontiguousarray(value).reshape(self.torch_shape)


def names(model: nn.Module) -> dict[str, str]:
    """Return the TensorFlow name of each layer of a network, by its PyTorch name.

    Raises:
        ExportError: a layer is of a kind that is not in `KINDS`, or the network does not apply its
            layers one after the other.
    """
    seen: Counter[str] = Counter()
    result = {}
    for own, layer in model.named_children():
        if type(layer) not in KINDS:
            raise ExportError(
                f"layer {own} is a {type(layer).__name__}, which has no counterpart in TensorFlow "
                "here: export the network as ONNX"
            )
        kind, _ = KINDS[type(layer)]
        result[own] = kind if not seen[kind] else f"{kind}_{seen[kind]}"
        seen[kind] += 1
    _require_sequence(model)
    return result


def _require_sequence(model: nn.Module) -> None:
    """Refuse a network that computes anything else than its layers, in their order."""
    sequence = nn.Sequential(*copy.deepcopy(model).children())
    image = np.linspace(0, 255, IMAGE_SIZE**2, dtype=np.uint8).reshape(1, IMAGE_SIZE, IMAGE_SIZE)
    try:
        same = np.array_equal(classify(model, image), classify(sequence, image), equal_nan=True)
    except (RuntimeError, IndexError):  # a layer does not take what the one before it gives
        same = False
    if not same:
        raise ExportError(
            f"the network {type(model).__name__} is more than a sequence of its layers, which has "
            "no counterpart in TensorFlow here: export the network as ONNX"
        )


def variables(model: nn.Module) -> list[Variable]:
    """Return the variables of a network, layer by layer, each layer's in TensorFlow's order.

    Raises:
        ExportError: see `names`.
    """
    layer_names = names(model)
    state = model.state_dict()
    # (C, H, W) of a layer's input before any flattening
    image: tuple[int, ...] = (1, IMAGE_SIZE, IMAGE_SIZE)
    result = []
    for row in layer_table(model):
        for own, theirs in KINDS[type(model.get_submodule(row.name))][1].items():
            key = f"{row.name}.{own}"
            if key not in state:  # a convolution followed by batch normalisation has no bias
                continue
            shape = tuple(state[key].shape)
            oihw = {1: (), 2: (shape[0], *image), 4: shape}[len(shape)]
            name = f"{layer_names[row.name]}/{theirs}"
            result.append(Variable(name=name, key=key, torch_shape=shape, oihw=oihw))
        if row.kind in ("Linear", "GlobalPool"):
            image = (*row.output, 1, 1)
        elif len(row.output) == 3:
            image = row.output
    return result


def tensors(model: nn.Module) -> dict[str, Array]:
    """Return a network's weights as TensorFlow stores them, by name, in the order of `variables`.

    Raises:
        ExportError: see `names`.
    """
    state = model.state_dict()
    return {
        variable.name: variable.to_tensorflow(state[variable.key].cpu().numpy())
        for variable in variables(model)
    }
