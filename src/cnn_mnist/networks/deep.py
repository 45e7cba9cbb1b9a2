"""The network of the `best` recipe."""

from collections import OrderedDict

from torch import nn

from cnn_mnist.networks.custom_layers import GlobalPool
from cnn_mnist.networks.registry import NETWORKS


@NETWORKS.register("deep")
def deep(classes: int, *, dropout: float) -> nn.Sequential:
    """Build nine normalised convolutions, three at each image size: 621,866 parameters.

    3x3 convolutions in a row see as far as large ones with fewer weights and more non-linearities.
    Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
    Recognition", 2014. Three in a block, average pooling between the sizes, and maximum and mean of
    each channel at the end come from https://github.com/Matuzas77/MNIST-0.17, which has two blocks
    at full size.
    """
    return nn.Sequential(
        OrderedDict(
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
    )


def _normalised(number: int, inputs: int, outputs: int) -> dict[str, nn.Module]:
    """Return a 3x3 convolution with batch normalisation and ReLU, their names numbered."""
    return {
        f"conv{number}": nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False),
        f"norm{number}": nn.BatchNorm2d(outputs),
        f"relu{number}": nn.ReLU(),
    }
