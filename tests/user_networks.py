"""Networks as a user writes them, in a file that knows nothing of this package."""

import torch.nn.functional as F
from torch import nn


class KerasConvnet(nn.Module):
    """The convnet of Keras's MNIST example ("Simple MNIST convnet")."""

    def __init__(self, classes, *, dropout):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.fc = nn.Linear(64 * 5 * 5, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(x.shape[0], -1)
        x = F.dropout(x, 0.5, self.training)
        return self.fc(x)


def resnet18(classes, *, dropout):
    import timm

    return timm.create_model("resnet18", in_chans=1, num_classes=classes)
