"""Bring a digit's ink into MNIST's form, see `cnn_mnist.data.mnist_form`.

MNIST's writers used pens of one kind: here the thickness of the strokes is brought near MNIST's,
too, by moving their outline before the digit is scaled.
"""

from typing import Final

import numpy as np

from cnn_mnist.data.dataset import DIGIT_SIZE
from cnn_mnist.data.mnist_form import centre_by_mass, crop_to_ink, rescale
from cnn_mnist.reading.opencv import Field, Mask, distance_transform, maximum_filter

STROKE_WIDTHS: Final = (1.9, 3.7)
"""Thinnest and thickest stroke that stay unchanged, in MNIST's pixels. Of MNIST's own training
images nine in ten lie between 1.6 and 4.0, half between 2.0 and 3.0, as `stroke_width` measures."""

_FINE: Final = 4  # outlines are moved on a grid this many times finer than MNIST's
_EDGE: Final = 0.5  # share of the full ink where the outline runs


def to_glyph(ink: Field) -> Field:
    """Bring one digit into MNIST's form.

    Args:
        ink: `(height, width)`: 0 on paper, 1 in full ink, cropped to the digit's box.

    Returns:
        `(28, 28) float32` in [0, 1].
    """
    shrink = max(ink.shape) / (DIGIT_SIZE * _FINE)
    if shrink > 1:  # a line of one pixel must not pale below the edge
        ink = maximum_filter(ink, round(shrink))
    drawn = np.pad(rescale(ink, 1 / shrink), 2 * _FINE)
    distance = _signed_distance(drawn > _EDGE * drawn.max())
    width, box = stroke_width(distance), max(np.ptp(np.argwhere(distance > 0), axis=0) + 1)
    # The box is scaled after the outline has moved by m: (box + 2m) s = 20 and (width + 2m) s =
    # wanted; together they give the scale s.
    wanted = float(np.clip(width / _FINE, *STROKE_WIDTHS))
    scale = (DIGIT_SIZE - wanted) / max(box - width, DIGIT_SIZE)
    moved = np.clip(distance + (DIGIT_SIZE / scale - box) / 2 + 0.5, 0, 1)
    return centre_by_mass(rescale(crop_to_ink(moved), scale))


def stroke_width(distance: Field) -> float:
    """Return the mean thickness of the strokes, in pixels.

    Across a straight stroke the mean distance to the outline is a quarter of its thickness.

    Args:
        distance: `(height, width)`: each pixel's distance to the outline, positive inside.
    """
    return 4 * float(distance[distance > 0].mean())


def _signed_distance(drawn: Mask) -> Field:
    """Return the distance from each pixel's middle to the outline, positive inside."""
    inside, outside = distance_transform(drawn), distance_transform(~drawn)
    return np.asarray(np.where(drawn, inside - 0.5, 0.5 - outside), np.float32)
