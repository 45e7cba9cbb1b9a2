"""Layers that torch does not have."""

import torch
import torch.nn.functional as F
from torch import nn


class Crop(nn.Module):
    """Cut a number of pixels off each side of the images: MNIST's digits hardly reach there."""

    def __init__(self, border: int) -> None:
        super().__init__()
        self.border = border

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Crop `(B, C, H, W)` to `(B, C, H - 2 border, W - 2 border)`."""
        return F.pad(images, (-self.border,) * 4)


class GlobalPool(nn.Module):
    """Reduce each channel to its maximum and its mean over the whole image."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Pool `(B, C, H, W)` to `(B, 2 C)`: the maxima of all channels, then the means."""
        return torch.cat((values.amax(dim=(2, 3)), values.mean(dim=(2, 3))), dim=1)
