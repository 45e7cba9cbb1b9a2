"""The default network, our reference: that of the TensorFlow 1.x tutorial `cnn_mnist.py`."""

from collections import OrderedDict

from torch import nn

from cnn_mnist.networks.registry import NETWORKS


@NETWORKS.register("cnn")
def cnn(classes: int, *, dropout: float) -> nn.Sequential:
    """Build the tutorial's network: 3,274,634 parameters for ten classes.

    The tutorial puts each ReLU before its pooling. Both orders give the same values and the same
    gradients, since max and ReLU commute; after the pooling the ReLU has a quarter of the work.
    """
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 32, kernel_size=5, padding=2),
            pool1=nn.MaxPool2d(kernel_size=2),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(32, 64, kernel_size=5, padding=2),
            pool2=nn.MaxPool2d(kernel_size=2),
            relu2=nn.ReLU(),
            flatten=nn.Flatten(),
            dense=nn.Linear(64 * 7 * 7, 1024),
            relu3=nn.ReLU(),
            dropout=nn.Dropout(dropout),
            logits=nn.Linear(1024, classes),
        )
    )
