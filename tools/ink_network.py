"""Define the ink network: which ink around a found digit is the digit's own.

A small U-Net on a square crop of the grey picture: lines of forms, frames, rulings and neighbours
are left out, whatever the colours and the light.
"""

import numpy as np
import numpy.typing as npt
import torch.nn.functional as F
from detector_network import Residual, convolution
from scene_canvas import Mark
from torch import Tensor, nn

from cnn_mnist.reading.grey import border_level, normalise
from cnn_mnist.reading.ink import crop


class InkNetwork(nn.Module):
    """Tell a digit's ink from all else: crops `(B, 1, 80, 80)` to logits of the same shape."""

    def __init__(self, widths: tuple[int, int, int] = (16, 32, 64)) -> None:
        super().__init__()
        half, quarter, eighth = widths
        self.at_2 = convolution(1, half, stride=2)
        self.at_4 = convolution(half, quarter, stride=2)
        self.at_8 = nn.Sequential(
            convolution(quarter, eighth, stride=2), Residual(eighth), Residual(eighth)
        )
        self.to_4, self.to_2 = (
            convolution(eighth, quarter, side=1),
            convolution(quarter, half, side=1),
        )
        self.up_4, self.up_2 = Residual(quarter), Residual(half)
        self.out = nn.Sequential(nn.Conv2d(half, 4, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, crops: Tensor) -> Tensor:
        """Return the logits that a pixel is the digit's ink, `(B, 1, 80, 80)`."""
        at_2 = self.at_2(crops)
        at_4 = self.at_4(at_2)
        at_8 = self.at_8(at_4)
        at_4 = self.up_4(at_4 + F.interpolate(self.to_4(at_8), scale_factor=2.0))
        at_2 = self.up_2(at_2 + F.interpolate(self.to_2(at_4), scale_factor=2.0))
        return self.out(at_2)  # type: ignore[no-any-return]


def example(
    picture: npt.NDArray[np.uint8], mark: Mark, generator: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the crop around a mark, whose box is known about, and its ink; each `(80, 80)`."""
    left, top, right, bottom = mark.box
    size = max(right - left, bottom - top)
    noise = generator.normal(0, 0.04, 4) * size
    box = (left + noise[0], top + noise[1], right + noise[2], bottom + noise[3])
    ink = np.zeros(picture.shape, np.float32)
    x, y = mark.origin
    rows, columns = slice(max(0, y), y + mark.ink.shape[0]), slice(max(0, x), x + mark.ink.shape[1])
    own = mark.ink[rows.start - y :, columns.start - x :]
    ink[rows, columns] = own[: picture.shape[0] - rows.start, : picture.shape[1] - columns.start]
    target = crop(np.asarray(ink * 255, np.uint8), box, 0).astype(np.float32) / 255
    return normalise(crop(picture, box, border_level(picture))), target


def loss(logits: Tensor, ink: Tensor) -> Tensor:
    """Return the mean cross-entropy of a pixel's ink."""
    return F.binary_cross_entropy_with_logits(logits.float(), ink)
