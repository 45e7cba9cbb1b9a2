"""LeNet-5."""

from torch import nn

from cnn_mnist.networks.registry import NETWORKS


@NETWORKS.register("lenet")
def lenet(classes: int, *, dropout: float) -> nn.Module:
    """Build LeNet-5 with ReLU and max-pooling."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, classes),
    )  # fmt: skip
