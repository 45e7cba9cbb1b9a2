"""Variables: what each weight of a network is called in TensorFlow, and how it lies there.

TensorFlow 1.x calls a layer by its kind and counts: `conv2d`, `conv2d_1`, `dense`, `dense_1`. It
keeps images as NHWC and kernels as HWIO, where PyTorch has NCHW and OIHW. A dense layer behind the
flattening is a convolution that covers the whole image, so one permutation serves all kernels.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from torch import nn

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.errors import ExportError
from cnn_mnist.networks.layers import Crop, GlobalPool
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
"""Each kind of layer: its name in TensorFlow (ours where Keras has no such layer), and those of its
weights, in TensorFlow's order."""


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One weight, here and there."""

    name: str
    """In TensorFlow, such as `conv2d/kernel`."""

    key: str
    """In the network's state, such as `conv1.weight`."""

    torch_shape: tuple[int, ...]
    """`(O, I, H, W)`, `(outputs, inputs)` or `(outputs,)`."""

    oihw: tuple[int, ...]
    """The shape of the same kernel as that of a convolution; empty for what has no order."""

    @property
    def shape(self) -> tuple[int, ...]:
        """In TensorFlow: `(H, W, I, O)`, `(inputs, outputs)` or `(outputs,)`."""
        return self._hwio if len(self.torch_shape) == 4 else self.torch_shape[::-1]

    @property
    def _hwio(self) -> tuple[int, ...]:
        return tuple(self.oihw[axis] for axis in _TO_HWIO)

    def to_tensorflow(self, value: Array) -> Array:
        """A weight of `torch_shape` in TensorFlow's order and shape."""
        if self.oihw:
            value = value.reshape(self.oihw).transpose(_TO_HWIO)
        return np.ascontiguousarray(value).reshape(self.shape)

    def to_torch(self, value: Array) -> Array:
        """A weight of TensorFlow's `shape` in PyTorch's order and shape."""
        if self.oihw:
            value = value.reshape(self._hwio).transpose(_TO_OIHW)
        return np.ascontiguousarray(value).reshape(self.torch_shape)


def names(model: nn.Module) -> dict[str, str]:
    """TensorFlow's name of each layer, by its own.

    Raises:
        ExportError: a layer is of a kind that has no counterpart in `KINDS`.
    """
    seen: Counter[str] = Counter()
    result = {}
    for own, layer in model.named_children():
        if type(layer) not in KINDS:
            raise ExportError(
                f"layer {own} is a {type(layer).__name__}, for which no counterpart in TensorFlow "
                "is known here: export the network as ONNX"
            )
        kind, _ = KINDS[type(layer)]
        result[own] = kind if not seen[kind] else f"{kind}_{seen[kind]}"
        seen[kind] += 1
    return result


def variables(model: nn.Module) -> list[Variable]:
    """The variables of a network, layer by layer, each layer's in TensorFlow's order.

    Raises:
        ExportError: see `names`.
    """
    called = names(model)
    state = model.state_dict()
    image: tuple[int, ...] = (1, IMAGE_SIZE, IMAGE_SIZE)  # (C, H, W) of the values, also flattened
    result = []
    for row in layer_table(model):
        for own, theirs in KINDS[type(model.get_submodule(row.name))][1].items():
            key = f"{row.name}.{own}"
            if key not in state:  # a convolution before a normalisation has no bias
                continue
            shape = tuple(state[key].shape)
            oihw = {1: (), 2: (shape[0], *image), 4: shape}[len(shape)]
            name = f"{called[row.name]}/{theirs}"
            result.append(Variable(name=name, key=key, torch_shape=shape, oihw=oihw))
        if row.kind in ("Linear", "GlobalPool"):
            image = (*row.output, 1, 1)
        elif len(row.output) == 3:
            image = row.output
    return result


def tensors(model: nn.Module) -> dict[str, Array]:
    """The weights of a network as TensorFlow has them, by name, in the order of `variables`.

    Raises:
        ExportError: see `names`.
    """
    state = model.state_dict()
    return {
        variable.name: variable.to_tensorflow(state[variable.key].cpu().numpy())
        for variable in variables(model)
    }
