"""The network of the `fast` recipe."""

from collections import OrderedDict

from torch import nn

from cnn_mnist.networks.custom_layers import Crop
from cnn_mnist.networks.registry import NETWORKS


@NETWORKS.register("small")
def small(classes: int, *, dropout: float) -> nn.Sequential:
    """Build a network that crops the image, pads nothing, has few channels: 139,514 parameters."""
    return nn.Sequential(
        OrderedDict(
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
            dense=nn.Linear(32 * 4 * 4, 256),
            norm3=nn.BatchNorm1d(256),
            relu3=nn.ReLU(),
            dropout=nn.Dropout(dropout),
            logits=nn.Linear(256, classes),
        )
    )
