"""Train a network of your own: LeNet-5, with tanh and average pooling.

    cnn-mnist train --network own_network.py:LeNet5
    cnn-mnist evaluate runs/standard-... --network own_network.py:LeNet5

or in Python, as below. Everything that works for the package's networks works for this one: the
table of its layers, exact resume, the report, `model.onnx`, `serve`.

Source: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document
Recognition", 1998.
"""

import torch
from torch import nn

from cnn_mnist import Classifier


class LeNet5(nn.Module):
    """From images `(B, 1, 28, 28)` to logits `(B, classes)`; the recipe's `dropout` is not used."""

    def __init__(self, classes: int, *, dropout: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.pool = nn.AvgPool2d(kernel_size=2)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Compute the logits."""
        x = self.pool(torch.tanh(self.conv1(images)))
        x = self.pool(torch.tanh(self.conv2(x)))
        x = x.view(x.size(0), -1)
        x = torch.tanh(self.fc1(x))
        x = torch.tanh(self.fc2(x))
        return self.fc3(x)  # type: ignore[no-any-return]


if __name__ == "__main__":
    classifier = Classifier("runs/lenet5", "standard", network=LeNet5)
    classifier.train(max_steps=2000)
    print(f"test accuracy {classifier.finish()['accuracy']:.2%}")
