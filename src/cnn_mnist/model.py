"""The networks, each readable top to bottom as one list of layers.

Input of all: images `(B, 1, 28, 28) float32 in [0, 1]`. Output of all: logits `(B, classes)`.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from cnn_mnist.linear import Linear
from cnn_mnist.recipe import Recipe


class Crop(nn.Module):
    """Images without so many pixels at each side: MNIST's digits hardly reach there."""

    def __init__(self, border: int) -> None:
        super().__init__()
        self.border = border

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """`(B, C, H, W)` to `(B, C, H - 2 border, W - 2 border)`."""
        return F.pad(images, (-self.border,) * 4)


class GlobalPool(nn.Module):
    """Of each channel the largest value anywhere in the image, and the mean of all."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """`(B, C, H, W)` to `(B, 2 C)`: the largest of all channels, then the means."""
        return torch.cat((values.amax(dim=(2, 3)), values.mean(dim=(2, 3))), dim=1)


def _sequence(**named_layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(named_layers))


def cnn(classes: int, dropout: float) -> nn.Sequential:
    """The network of the TensorFlow 1.x tutorial `cnn_mnist.py`: 3,274,634 parameters.

    The lesson puts each ReLU before its pooling. Both orders give the same values and the same
    gradients, since the largest of the rectified is the rectified largest; after the pooling there
    is a quarter of the work.
    """
    return _sequence(
        conv1=nn.Conv2d(1, 32, kernel_size=5, padding=2),
        pool1=nn.MaxPool2d(kernel_size=2),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(32, 64, kernel_size=5, padding=2),
        pool2=nn.MaxPool2d(kernel_size=2),
        relu2=nn.ReLU(),
        flatten=nn.Flatten(),
        dense=Linear(64 * 7 * 7, 1024),
        relu3=nn.ReLU(),
        dropout=nn.Dropout(dropout),
        logits=nn.Linear(1024, classes),
    )


def cnn_bn(classes: int, dropout: float) -> nn.Sequential:
    """The tutorial's network with batch normalisation: 3,276,874 parameters.

    Source: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing
    Internal Covariate Shift", 2015. Like the ReLU it stands after the pooling, where there is a
    quarter of the work.
    """
    return _sequence(
        conv1=nn.Conv2d(1, 32, kernel_size=5, padding=2),
        pool1=nn.MaxPool2d(kernel_size=2),
        norm1=nn.BatchNorm2d(32),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(32, 64, kernel_size=5, padding=2),
        pool2=nn.MaxPool2d(kernel_size=2),
        norm2=nn.BatchNorm2d(64),
        relu2=nn.ReLU(),
        flatten=nn.Flatten(),
        dense=Linear(64 * 7 * 7, 1024),
        norm3=nn.BatchNorm1d(1024),
        relu3=nn.ReLU(),
        dropout=nn.Dropout(dropout),
        logits=nn.Linear(1024, classes),
    )


def deep(classes: int, dropout: float) -> nn.Sequential:
    """Nine normalised convolutions, three at each size, for the `best` recipe: 621,866 parameters.

    3x3 convolutions in a row see as far as large ones with fewer weights and more non-linearities.
    Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
    Recognition", 2014. Three in a block, means instead of maxima between the sizes, and the largest
    and the mean of each channel at the end come from https://github.com/Matuzas77/MNIST-0.17, which
    has two blocks at full size.
    """
    return _sequence(
        **_normalised(1, 1, 32),
        **_normalised(2, 32, 32),
        **_normalised(3, 32, 32),
        pool3=nn.AvgPool2d(kernel_size=2),
        **_normalised(4, 32, 96),
        **_normalised(5, 96, 96),
        **_normalised(6, 96, 96),
        pool6=nn.AvgPool2d(kernel_size=2),
        **_normalised(7, 96, 128),
        **_normalised(8, 128, 128),
        **_normalised(9, 128, 128),
        pool9=GlobalPool(),
        dropout=nn.Dropout(dropout),
        logits=nn.Linear(2 * 128, classes),
    )


def _normalised(number: int, inputs: int, outputs: int) -> dict[str, nn.Module]:
    """A 3x3 convolution with batch normalisation and ReLU, their names numbered."""
    return {
        f"conv{number}": nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False),
        f"norm{number}": nn.BatchNorm2d(outputs),
        f"relu{number}": nn.ReLU(),
    }


def softmax(classes: int, dropout: float) -> nn.Sequential:
    """Softmax regression, the lesson before the tutorial's: one linear layer, nothing to drop."""
    return _sequence(
        flatten=nn.Flatten(),
        logits=nn.Linear(28 * 28, classes),
    )


def small(classes: int, dropout: float) -> nn.Sequential:
    """A network for the `fast` recipe: no border, no padding, few channels; 139,514 parameters."""
    return _sequence(
        crop=Crop(2),
        conv1=nn.Conv2d(1, 16, kernel_size=5, bias=False),
        pool1=nn.MaxPool2d(kernel_size=2),
        norm1=nn.BatchNorm2d(16),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(16, 32, kernel_size=3, bias=False),
        pool2=nn.MaxPool2d(kernel_size=2),
        norm2=nn.BatchNorm2d(32),
        relu2=nn.ReLU(),
        flatten=nn.Flatten(),
        dense=Linear(32 * 4 * 4, 256),
        norm3=nn.BatchNorm1d(256),
        relu3=nn.ReLU(),
        dropout=nn.Dropout(dropout),
        logits=nn.Linear(256, classes),
    )


_BUILDERS: Final[dict[str, Callable[[int, float], nn.Sequential]]] = {
    "cnn": cnn,
    "cnn-bn": cnn_bn,
    "deep": deep,
    "softmax": softmax,
    "small": small,
}


def build(recipe: Recipe, classes: int, generator: torch.Generator | None = None) -> nn.Sequential:
    """Build a recipe's network with TensorFlow's initialisers: Glorot-uniform kernels, zero biases.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010.

    Args:
        recipe: names the network and its dropout.
        classes: the number of logits.
        generator: draws the kernels; None takes torch's own.
    """
    model = _BUILDERS[recipe.network](classes, recipe.dropout)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    # Channels last is the order in which the CPU's and the GPU's kernels are fastest.
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def as_tensor(array: npt.NDArray[np.uint8]) -> torch.Tensor:
    """The same values as a tensor; copied only where torch cannot share them."""
    return torch.from_numpy(np.require(array, requirements=["C_CONTIGUOUS", "WRITEABLE"]))


def classify(model: nn.Module, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Logits `(B, classes) float32` of images `(B, 28, 28) uint8`, by a model without dropout."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        batch = as_tensor(images).unsqueeze(1).to(device)
        logits: torch.Tensor = model(batch.to(torch.float32).div_(255))
    model.train(was_training)
    return logits.cpu().numpy()


def at_temperature(model: nn.Sequential, temperature: float) -> nn.Sequential:
    """A copy of a network whose logits are divided by a temperature, at no cost in use."""
    cooled = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in cooled.get_submodule("logits").parameters():
            parameter.div_(temperature)
    return cooled


@dataclass(frozen=True)
class Layer:
    """One row of a network's table."""

    name: str
    kind: str
    output: tuple[int, ...]
    """Shape of one image's output."""
    parameters: int
    flops: int
    """Multiplications and additions for one image; those of activations and pooling not counted."""


def trace(model: nn.Sequential, images: torch.Tensor) -> list[tuple[str, nn.Module, torch.Tensor]]:
    """What each layer gives, without dropout, in the order in which images pass them.

    Args:
        model: stays as it is.
        images: `(B, 1, 28, 28) float32 in [0, 1]`, on the model's device.

    Returns:
        Name, layer and output `(B, ...)` of each layer.
    """
    outputs: list[tuple[str, nn.Module, torch.Tensor]] = []

    def watch(name: str) -> Callable[[nn.Module, Any, torch.Tensor], None]:
        return lambda layer, inputs, output: outputs.append((name, layer, output))

    watched = copy.deepcopy(model).eval()
    for name, layer in watched.named_children():
        layer.register_forward_hook(watch(name))
    with torch.inference_mode():
        watched(images)
    return outputs


def layers(model: nn.Sequential) -> list[Layer]:
    """The table of a network's layers, in the order in which an image passes them."""
    return [
        Layer(
            name=name,
            kind=type(layer).__name__,
            output=tuple(output.shape[1:]),
            parameters=sum(parameter.numel() for parameter in layer.parameters()),
            flops=_flops(layer, output),
        )
        for name, layer, output in trace(model, torch.zeros(1, 1, 28, 28))
    ]


def _flops(layer: nn.Module, output: torch.Tensor) -> int:
    if not isinstance(layer, nn.Conv2d | nn.Linear):
        return 0
    products = layer.weight[0].numel()  # for one output value; the bias makes up the missing sum
    return 2 * products * output.numel()


def describe(table: Sequence[Layer]) -> dict[str, Any]:
    """A table as plain JSON values: `layers`, and the sums `parameters` and `flops`."""
    return {
        "layers": [vars(layer) | {"output": list(layer.output)} for layer in table],
        "parameters": sum(layer.parameters for layer in table),
        "flops": sum(layer.flops for layer in table),
    }
