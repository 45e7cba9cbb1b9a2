"""Draw MNIST's digits with any pen, at any size, by one writer at a time, for scenes.py.

A digit is kept as a distance field: each pixel's distance to the outline of its strokes. A field
is drawn sharply at any size, and its strokes are made thinner or thicker by a shift of its level.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Generator = np.random.Generator
Field = npt.NDArray[np.float32]
Images = npt.NDArray[np.uint8]

FIELD_SIDE = 84
"""Pixels of a field: three for each of MNIST's."""
_UNIT = FIELD_SIDE / 28
_CHUNK = 2_000  # images that are thinned at a time
_FEW = 20  # images: writers of fewer are mixed


@dataclass(frozen=True, eq=False)
class Style:
    """How one hand writes in one scene."""

    indices: npt.NDArray[np.int64]
    """The images of the writer, `(N,)`."""
    pen: float | None
    """Thickness of a pen that follows the middle of the strokes, as a share of the digit's height;
    None keeps the outlines."""
    swell: float
    """By how much outlines are moved out, as a share of the digit's height."""


class DigitStock:
    """The images that digits are taken from.

    Args:
        images: `(N, 28, 28) uint8`.
        labels: `(N,)`.
        writers: `(N,)`, who wrote each.
        generator: chooses the images of which the middle of the strokes is known.
        thinned: how many these are.
    """

    def __init__(
        self,
        images: Images,
        labels: Images,
        writers: npt.NDArray[np.int64],
        generator: Generator,
        thinned: int,
    ) -> None:
        self._images, self._labels = images, labels
        chosen = np.sort(generator.permutation(len(images))[:thinned])
        self._thinned = dict(zip(chosen.tolist(), thin(images[chosen]), strict=True))
        by_writer = [np.flatnonzero(writers == writer) for writer in np.unique(writers)]
        self._writers = [indices for indices in by_writer if len(indices) >= _FEW]
        self._all = np.arange(len(images))

    def style(self, generator: Generator) -> Style:
        """Choose a writer, who may write with another pen."""
        known = np.array(sorted(self._thinned))
        if generator.random() < 0.35:
            pen = float(np.exp(generator.uniform(np.log(0.025), np.log(0.28))))
            return Style(generator.choice(known, 300), pen, 0)
        writer = self._writers[generator.integers(len(self._writers))]
        indices = writer if generator.random() < 0.8 else generator.choice(self._all, 300)
        return Style(indices, None, float(generator.normal(0, 0.02)))

    def draw(self, digit: int | None, style: Style, generator: Generator) -> tuple[int, Field]:
        """Choose an image of a digit, of any if None, in a hand's style.

        Returns:
            Its class, and its distance field `(FIELD_SIDE, FIELD_SIDE)`, positive inside, in pixels
            of the field.
        """
        indices = style.indices
        if digit is not None and (self._labels[indices] == digit).any():
            indices = indices[self._labels[indices] == digit]
        index = int(generator.choice(indices))
        if style.pen is not None:
            radius = style.pen * 20 * _UNIT / 2
            middle = cv2.resize(self._thinned[index], (FIELD_SIDE,) * 2)
            field = radius - cv2.distanceTransform(1 - (middle > 127).astype(np.uint8), 2, 5)
        else:
            field = _outline_field(self._images[index]) + style.swell * 20 * _UNIT
        return int(self._labels[index]), np.asarray(field, np.float32)


def _outline_field(image: Images) -> Field:
    """Return the signed distance to a digit's outline, positive inside."""
    large = cv2.resize(image, (FIELD_SIDE,) * 2, interpolation=cv2.INTER_CUBIC)
    inside = (large > 110).astype(np.uint8)
    field = cv2.distanceTransform(inside, 2, 5) - cv2.distanceTransform(1 - inside, 2, 5)
    return np.asarray(field - np.sign(field) / 2, np.float32)


def thin(images: Images) -> Images:
    """Thin the strokes of images to lines of one pixel.

    Zhang and Suen, "A fast parallel algorithm for thinning digital patterns", 1984.

    Args:
        images: `(N, 28, 28)`.

    Returns:
        `(N, 84, 84)`, 0 or 255.
    """
    thinned = [
        _thin(np.stack([cv2.resize(image, (FIELD_SIDE,) * 2) for image in images[start:][:_CHUNK]]))
        for start in range(0, len(images), _CHUNK)
    ]
    return np.concatenate(thinned) if thinned else np.empty((0, FIELD_SIDE, FIELD_SIDE), np.uint8)


def _thin(images: Images) -> Images:
    ink = np.pad((images > 110).astype(np.uint8), ((0, 0), (1, 1), (1, 1)))
    changed = True
    while changed:
        changed = False
        for first in (True, False):
            remove = _removable(ink, first=first)
            changed |= bool(remove.any())
            ink[:, 1:-1, 1:-1][remove] = 0
    return ink[:, 1:-1, 1:-1] * np.uint8(255)


def _removable(ink: Images, *, first: bool) -> npt.NDArray[np.bool_]:
    """Return which pixels one of the two passes removes."""
    up, down, middle = slice(None, -2), slice(2, None), slice(1, -1)
    places = [
        *((up, middle), (up, down), (middle, down), (down, down)),
        *((down, middle), (down, up), (middle, up), (up, up)),
    ]
    around = [ink[:, rows, columns] for rows, columns in places]
    count = sum(around[1:], around[0])
    changes = sum(
        ((before == 0) & (after == 1)).astype(np.uint8)
        for before, after in zip(around, [*around[1:], around[0]], strict=True)
    )
    north, east, south, west = around[0], around[2], around[4], around[6]
    if first:
        kept = (north * east * south) | (east * south * west)
    else:
        kept = (north * east * west) | (north * south * west)
    inside = ink[:, 1:-1, 1:-1] == 1
    return np.asarray(inside & (count >= 2) & (count <= 6) & (changes == 1) & (kept == 0))
