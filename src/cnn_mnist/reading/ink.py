"""Tell a digit's own ink from the lines, frames and neighbours around it.

A small network, see tools/train_finder.py, looks at the square around a box, and says how probably
each pixel is the digit's ink, whatever the colours and the light. Its answer is blurred, and pale
where a stroke looks like a line of the form; the levels of the picture itself are sharp, but know
nothing of lines. Both are evidence, and their log odds are added.
"""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.data.mnist_form import crop_to_ink
from cnn_mnist.inference.session import open_session
from cnn_mnist.reading.detector import Box
from cnn_mnist.reading.glyph import to_glyph
from cnn_mnist.reading.grey import Grey, border_level, normalise, resize
from cnn_mnist.reading.opencv import Field, connected_components

INK_MASK: Final = Path(__file__).parent / "ink.onnx"
SIDE: Final = 80
"""Pixels of a crop's side."""
_AROUND: Final = 1.6  # the side of a crop in units of the longer side of the digit's box
_BATCH_SIZE: Final = 32
_SURELY_INK, _SURELY_PAPER = 0.6, 0.05  # probabilities: from there the levels of both are taken
_INK: Final = 0.5  # probability: pieces without any pixel that the network takes for ink are specks
_LEAST_PIXELS: Final = 8
_LEAST_CONTRAST: Final = 0.05  # of the levels of the crop
_WEIGHT: Final = 5.0  # of a level: between paper and ink lie so many nats


class InkMask:
    """Masks the ink of digits, in one thread."""

    def __init__(self) -> None:
        self._session = open_session(str(INK_MASK), threads=1)

    def of(self, grey: Grey, boxes: list[Box]) -> list[Field]:
        """Return the ink of the digit in each box of a picture, `(SIDE, SIDE)` in [0, 1]."""
        outside = border_level(grey)
        crops = [normalise(crop(grey, box, outside)) for box in boxes]
        inks: list[Field] = []
        for start in range(0, len(crops), _BATCH_SIZE):
            batch = np.stack(crops[start : start + _BATCH_SIZE])[:, None]
            probabilities = self._session.run(None, {"crops": batch})[0][:, 0]
            inks.extend(map(_sharpened, probabilities, batch[:, 0]))
        return inks


def _sharpened(probability: Field, levels: Field) -> Field:
    """Add what the levels of a crop say to the probability that its pixels are ink."""
    ink, paper = levels[probability > _SURELY_INK], levels[probability < _SURELY_PAPER]
    if min(ink.size, paper.size) < _LEAST_PIXELS:
        return probability
    dark, light = np.median(ink), np.median(paper)
    if abs(dark - light) < _LEAST_CONTRAST:
        return probability
    share = np.clip((levels - light) / (dark - light), -0.5, 1.5)
    odds = np.log((probability + 1e-4) / (1 - probability + 1e-4)) + _WEIGHT * (share - 0.5)
    sharp = np.asarray(1 / (1 + np.exp(-odds)), np.float32)
    pieces = connected_components(sharp > _INK)
    specks = ~np.isin(pieces, pieces[probability > _INK]) & (pieces > 0)
    return np.where(specks, np.float32(0), sharp)


def image_of_ink(ink: Field) -> Field:
    """Bring ink to MNIST's form, `(28, 28)` in [0, 1]; blank where there is none."""
    if (ink > _INK).any():
        return to_glyph(np.pad(crop_to_ink(ink, _INK), 1))
    return np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.float32)


def box_of_ink(ink: Field, box: Box) -> Box:
    """Return the box of the ink in the crop around a box; that box itself where there is none."""
    rows, columns = (np.flatnonzero((ink > _INK).any(axis=axis)) for axis in (1, 0))
    if rows.size == 0:
        return box
    (left, top), side = _square(box)
    scale = side / SIDE
    return (
        float(left + columns[0] * scale),
        float(top + rows[0] * scale),
        float(left + (columns[-1] + 1) * scale),
        float(top + (rows[-1] + 1) * scale),
    )


def _square(box: Box) -> tuple[npt.NDArray[np.float64], float]:
    """Return the left upper corner and the side of the square around a box."""
    left, top, right, bottom = box
    side = _AROUND * max(right - left, bottom - top)
    return np.array([left + right - side, top + bottom - side]) / 2, side


def crop(grey: Grey, box: Box, outside: int) -> Grey:
    """Cut out the square around a box, `(SIDE, SIDE)`.

    Args:
        grey: the picture.
        box: in its pixels; it may reach beyond the border.
        outside: the level beyond the border.
    """
    corner, side = _square(box)
    part, first = _part(grey, corner, side, outside)
    if side > 2 * SIDE:  # the warp takes no means: details would be lost
        shrink = SIDE / side
        part = resize(part, shrink)
        corner, first, side = corner * shrink, first * shrink, SIDE
    scale = SIDE / side
    shift = (first - corner + 0.5) * scale - 0.5
    warp = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    square = cv2.warpAffine(part, warp, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(square, np.uint8)


def _part(
    grey: Grey, corner: npt.NDArray[np.float64], side: float, outside: int
) -> tuple[Grey, npt.NDArray[np.float64]]:
    """Cut out the pixels that a square touches; return them and their left upper corner."""
    first = np.floor(corner).astype(int)
    last = np.ceil(corner + side).astype(int) + 1
    part = np.full(tuple((last - first)[::-1]), outside, np.uint8)
    low, high = np.maximum(first, 0), np.minimum(last, grey.shape[::-1])
    if (low < high).all():
        to, until = low - first, high - first
        inside = grey[low[1] : high[1], low[0] : high[0]]
        part[to[1] : until[1], to[0] : until[0]] = inside
    return part, first.astype(np.float64)
