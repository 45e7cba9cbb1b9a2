"""A digit's ink is brought into MNIST's form: its size, and the thickness of its strokes."""

import numpy as np
import pytest

from cnn_mnist.data.dataset import DIGIT_SIZE
from cnn_mnist.reading.glyph import STROKE_WIDTHS, to_glyph
from cnn_mnist.reading.opencv import distance_transform


@pytest.mark.parametrize("pen", [2, 6, 16, 30])
def test_the_thickness_of_the_pen_is_brought_near_mnists(pen: int) -> None:
    ink = np.zeros((130, 100), np.float32)
    ink[:pen], ink[:, 50 - pen // 2 : 50 + (pen + 1) // 2] = 1, 1
    image = to_glyph(ink)
    rows = (image > 0.3).sum(axis=1)[12:20]  # across the stem
    assert STROKE_WIDTHS[0] - 0.6 <= rows.mean() <= STROKE_WIDTHS[1] + 1.2
    assert image.max() > 0.8


@pytest.mark.parametrize(("height", "width"), [(40, 20), (20, 40), (33, 30), (200, 30)])
def test_the_longest_side_becomes_20_and_the_aspect_is_nearly_kept(height: int, width: int) -> None:
    ink = np.zeros((height, width), np.float32)
    ink[:4], ink[-4:], ink[:, :4], ink[:, -4:] = 1, 1, 1, 1
    image = to_glyph(ink)
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    sides = np.array([np.ptp(rows) + 1, np.ptp(columns) + 1])
    assert sides.max() == DIGIT_SIZE
    assert abs(sides.min() - DIGIT_SIZE * min(height, width) / max(height, width)) <= 2.5


def test_distances_are_exact_and_the_same_each_time() -> None:
    mask = np.random.default_rng(0).random((60, 50)) < 0.97
    outside = np.argwhere(~mask)
    places = np.argwhere(np.ones_like(mask))
    squares = ((places[:, None] - outside) ** 2).sum(axis=2).min(axis=1).reshape(mask.shape)
    for _ in range(5):
        np.testing.assert_array_equal(distance_transform(mask), np.sqrt(squares.astype(np.float32)))
