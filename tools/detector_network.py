"""Define the detector: a network that says where characters are in a picture, and which.

A fully convolutional network in the form of a U-Net (Ronneberger et al., 2015) whose output is that
of CenterNet (Zhou et al., "Objects as points", 2019): at every fourth pixel, how surely the middle
of a character of each class lies there, and the character's box.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import torch.nn.functional as F
from scenes import Scene
from torch import Tensor, nn

from cnn_mnist.reading.detector import CLASSES, LETTER, STRIDE

_LEAST: Final = 6.5  # pixels of the longer side: smaller characters are not asked for


class Residual(nn.Module):
    """Two 3x3 convolutions beside a connection that skips them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)),
            nn.ReLU(),
            *(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return `(B, channels, H, W)`."""
        return F.relu(x + self.body(x))


def convolution(inputs: int, outputs: int, *, stride: int = 1, side: int = 3) -> nn.Sequential:
    """Return a convolution with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class DetectorNetwork(nn.Module):
    """Find characters: grey pictures to logits and boxes at a quarter of the resolution.

    Args:
        widths: channels at strides 2, 4, 8, 16.
        blocks: residual blocks at strides 4, 8, 16.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (16, 32, 64, 96),
        blocks: tuple[int, int, int] = (1, 2, 4),
    ) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth = widths
        self.stem = nn.Sequential(
            convolution(1, half, stride=2), convolution(half, quarter, stride=2)
        )
        self.at_4 = nn.Sequential(*(Residual(quarter) for _ in range(blocks[0])))
        self.at_8 = nn.Sequential(
            convolution(quarter, eighth, stride=2), *(Residual(eighth) for _ in range(blocks[1]))
        )
        self.at_16 = nn.Sequential(
            convolution(eighth, sixteenth, stride=2),
            *(Residual(sixteenth) for _ in range(blocks[2])),
        )
        self.to_8, self.to_4 = (
            convolution(sixteenth, eighth, side=1),
            convolution(eighth, quarter, side=1),
        )
        self.up_8, self.up_4 = Residual(eighth), Residual(quarter)
        self.head = convolution(quarter, 2 * quarter)
        self.classes = nn.Conv2d(2 * quarter, len(CLASSES), 1)
        self.boxes = nn.Conv2d(2 * quarter, 4, 1)
        nn.init.constant_(self.classes.bias, -4.6)  # type: ignore[arg-type]  # a hundredth

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Find characters.

        Args:
            pictures: `(B, 1, H, W) float32`, see `cnn_mnist.reading.grey.normalise`; sides
                divisible by 16.

        Returns:
            Logits `(B, classes, H / 4, W / 4)`; and boxes `(B, 4, H / 4, W / 4)`: the middle's
            offset x, y from the cell's, in cells, and the logarithms of width and height in cells.
        """
        at_4 = self.at_4(self.stem(pictures))
        at_8 = self.at_8(at_4)
        at_16 = self.at_16(at_8)
        at_8 = self.up_8(at_8 + F.interpolate(self.to_8(at_16), scale_factor=2.0))
        at_4 = self.up_4(at_4 + F.interpolate(self.to_4(at_8), scale_factor=2.0))
        features = self.head(at_4)
        return self.classes(features), self.boxes(features)


Targets = dict[str, npt.NDArray[np.float32]]


def targets(scene: Scene) -> Targets:
    """Return what the detector should answer to a scene.

    Returns:
        `heat (classes, h, w)`: 1 at the middles of characters and a Gaussian around; `boxes
        (4, h, w)` and `inside (h, w)`, 1 where a middle is; `asked (h, w)`, 0 where nothing is
        asked.
    """
    cells = scene.picture.shape[0] // STRIDE
    heat = np.zeros((len(CLASSES), cells, cells), np.float32)
    boxes, inside = np.zeros((4, cells, cells), np.float32), np.zeros((cells, cells), np.float32)
    asked = np.ones((cells, cells), np.float32)
    places = np.arange(cells, dtype=np.float32)
    for mark in scene.marks:
        left, top, right, bottom = (side / STRIDE for side in mark.box)
        width, height = right - left, bottom - top
        if max(width, height) * STRIDE < _LEAST and mark.class_ <= LETTER:
            _ignore(asked, (left, top, right, bottom))
            continue
        x, y = (left + right) / 2 - 0.5, (top + bottom) / 2 - 0.5
        column, row = (int(np.clip(round(place), 0, cells - 1)) for place in (x, y))
        spread = [max(0.55, 0.09 * (side + 0.5 * max(width, height))) for side in (width, height)]
        bump = _bell(places, x, spread[0]) * _bell(places, y, spread[1])[:, None]
        bump[row, column] = 1
        np.maximum(heat[mark.class_], bump, out=heat[mark.class_])
        boxes[:, row, column] = x - column, y - row, np.log(width), np.log(height)
        inside[row, column] = 1
    for box in scene.ignored:
        _ignore(asked, tuple(side / STRIDE for side in box))
    asked[inside > 0] = 1
    return {"heat": heat, "boxes": boxes, "inside": inside, "asked": asked}


def _bell(places: npt.NDArray[np.float32], middle: float, spread: float) -> npt.NDArray[np.float32]:
    return np.asarray(np.exp(-(((places - middle) / spread) ** 2) / 2), np.float32)


def _ignore(asked: npt.NDArray[np.float32], box: tuple[float, ...]) -> None:
    left, top, right, bottom = (round(side) for side in box)
    asked[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = 0


def loss(output: tuple[Tensor, Tensor], target: dict[str, Tensor]) -> Tensor:
    """Return the focal loss of the classes plus the L1 loss of the boxes, a mark.

    Args:
        output: see `DetectorNetwork.forward`.
        target: see `targets`, each with a batch dimension.
    """
    logits, boxes = (part.float() for part in output)
    heat, inside = target["heat"], target["inside"]
    probability = logits.sigmoid()
    there = (heat == 1).float()
    positive = -F.logsigmoid(logits) * (1 - probability) ** 2 * there
    negative = -F.logsigmoid(-logits) * probability**2 * (1 - heat) ** 4 * (1 - there)
    classes = (positive + negative * target["asked"][:, None]).sum()
    wrong = (F.smooth_l1_loss(boxes, target["boxes"], reduction="none", beta=0.1)).sum(
        dim=1
    ) * inside
    return (classes + wrong.sum()) / inside.sum().clamp(min=1)
