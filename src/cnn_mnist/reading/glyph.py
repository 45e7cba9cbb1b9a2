"""A digit's ink to MNIST's own form.

MNIST's form: light ink on black, the digit's box fitted to 20x20 with its aspect kept and
anti-aliased, then placed in 28x28 with its centre of mass in the middle. Source: the description on
the first home of MNIST, http://yann.lecun.com/exdb/mnist/. Its writers had pens of one kind: here
the thickness of the strokes is brought near MNIST's too, by moving their outline before the digit
is scaled.
"""

from typing import Final

import numpy as np
from PIL import Image

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.reading.filters import Field, Mask, distances, highest

BOX: Final = 20
MIDDLE: Final = IMAGE_SIZE / 2 + 0.5
"""Where MNIST has a digit's centre of mass: the middle of pixel 14 on both axes, half a pixel off
the middle of the picture. All 70,000 lie within half a pixel of it (two of them barely not)."""
STROKE: Final = (1.9, 3.7)
"""Thinnest and thickest stroke that stay as they are, in MNIST's pixels. Of MNIST's own training
images nine in ten lie between 1.6 and 4.0, half between 2.0 and 3.0, as `stroke_width` measures."""

_FINE: Final = 4  # outlines are moved on a grid this many times finer than MNIST's
_EDGE: Final = 0.5  # of the full ink: where the outline runs


def to_glyph(ink: Field) -> Field:
    """Bring one digit into MNIST's form.

    Args:
        ink: `(height, width)`: 0 on paper, 1 in full ink, cut to the digit's box.

    Returns:
        `(28, 28) float32` in [0, 1].
    """
    shrink = max(ink.shape) / (BOX * _FINE)
    if shrink > 1:  # a line of one pixel must not pale below the edge
        ink = highest(ink, (round(shrink),) * 2)
    drawn = np.pad(scaled(ink, 1 / shrink), 2 * _FINE)
    depth = _depth(drawn > _EDGE * drawn.max())
    width, box = stroke_width(depth), max(np.ptp(np.argwhere(depth > 0), axis=0) + 1)
    # The box is fitted after the outline has moved by m: (box + 2m) s = 20 and (width + 2m) s =
    # wanted; both give the scale s.
    wanted = float(np.clip(width / _FINE, *STROKE))
    scale = (BOX - wanted) / max(box - width, BOX)
    moved = np.clip(depth + (BOX / scale - box) / 2 + 0.5, 0, 1)
    return centred(scaled(_cut(moved), scale))


def stroke_width(depth: Field) -> float:
    """Mean thickness of the strokes: across a straight one the mean depth is a quarter of it.

    Args:
        depth: the distance to the outline, positive inside.
    """
    return 4 * float(depth[depth > 0].mean())


def _depth(drawn: Mask) -> Field:
    """Distance of each pixel's middle to the outline, positive inside."""
    inside, outside = distances(drawn), distances(~drawn)
    return np.asarray(np.where(drawn, inside - 0.5, 0.5 - outside), np.float32)


def scaled(ink: Field, scale: float) -> Field:
    """Made larger or smaller, anti-aliased, values in [0, 1]."""
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    how = Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.BOX
    scaled: Field = np.clip(np.asarray(Image.fromarray(ink).resize((width, height), how)), 0, 1)
    return scaled


def _cut(ink: Field) -> Field:
    """The part that has ink."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    cut: Field = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cut


def centred(ink: Field) -> Field:
    """Placed in 28x28 with the centre of mass in the middle."""
    canvas = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.float32)
    top, left = (
        int(np.clip(round(MIDDLE - _centre(ink, axis)), 0, IMAGE_SIZE - ink.shape[axis]))
        for axis in (0, 1)
    )
    canvas[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return canvas


def _centre(ink: Field, axis: int) -> float:
    """Centre of mass along an axis, in pixels from the box's edge."""
    mass = ink.sum(axis=1 - axis, dtype=np.float64)
    return float((np.arange(len(mass)) + 0.5) @ mass / mass.sum())
