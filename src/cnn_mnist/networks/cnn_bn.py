"""The reference network with batch normalisation."""

from collections import OrderedDict

from torch import nn

from cnn_mnist.networks.registry import NETWORKS


@NETWORKS.register("cnn-bn")
def cnn_bn(classes: int, *, dropout: float) -> nn.Sequential:
    """Build the tutorial's network with batch normalisation: 3,276,874 parameters.

    The normalisation stands after the pooling, like the ReLU, where it has a quarter of the work.
    Source: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing
    Internal Covariate Shift", 2015.
    """
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 32, kernel_size=5, padding=2),
            pool1=nn.MaxPool2d(kernel_size=2),
            norm1=nn.BatchNorm2d(32),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(32, 64, kernel_size=5, padding=2),
            pool2=nn.MaxPool2d(kernel_size=2),
            norm2=nn.BatchNorm2d(64),
            relu2=nn.ReLU(),
            flatten=nn.Flatten(),
            dense=nn.Linear(64 * 7 * 7, 1024),
            norm3=nn.BatchNorm1d(1024),
            relu3=nn.ReLU(),
            dropout=nn.Dropout(dropout),
            logits=nn.Linear(1024, classes),
        )
    )
