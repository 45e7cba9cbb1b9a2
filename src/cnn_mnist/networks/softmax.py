"""Softmax regression, the tutorial before the convolutional one."""

from collections import OrderedDict

from torch import nn

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.networks.registry import NETWORKS


@NETWORKS.register("softmax")
def softmax(classes: int, *, dropout: float) -> nn.Sequential:
    """Build one linear layer; there is nothing to drop."""
    return nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            logits=nn.Linear(IMAGE_SIZE * IMAGE_SIZE, classes),
        )
    )
