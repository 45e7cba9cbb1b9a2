"""Cut a part of a row that is too wide for one digit, where digits may touch."""

from typing import Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.reading.opencv import Mask, moving_average

_WIDE: Final = 0.85  # of its height: digits may touch in wider parts
_APART: Final = 0.25  # of the height: the least distance between cuts and to the ends
_REACH: Final = 0.15  # of the height: how far a cut may bend to either side
_MAX_CUTS: Final = 4


def label_slices(ink: Mask) -> npt.NDArray[np.int32]:
    """Cut a part from top to bottom wherever there is little ink to cross.

    Args:
        ink: `(height, width)`, cropped to the part's box.

    Returns:
        `(height, width)`: the number of each pixel's slice, from 0; all 0 where it is not wide.
    """
    height, width = ink.shape
    labels = np.zeros(ink.shape, np.int32)
    if width > _WIDE * height:
        for column in _choose_columns(ink):
            labels += np.arange(width) >= _find_seam(ink, column)[:, None]
    return labels


def _choose_columns(ink: Mask) -> list[int]:
    """Return the columns with the least ink around, apart from each other and from the ends."""
    height, width = ink.shape
    apart = max(2, round(_APART * height))
    amount = moving_average(ink.sum(axis=0).astype(np.float64), max(1, height // 16))
    chosen: list[int] = []
    for column in np.argsort(amount, kind="stable"):
        if apart <= column < width - apart and all(abs(column - c) >= apart for c in chosen):
            chosen.append(int(column))
        if len(chosen) == _MAX_CUTS:
            break
    return sorted(chosen)


def _find_seam(ink: Mask, column: int) -> npt.NDArray[np.int64]:
    """Find the path from top to bottom near a column that crosses the least ink.

    Dynamic programming over steps to the pixel below, straight or diagonal.

    Returns:
        `(height,)`: the path's column in each row.
    """
    height, width = ink.shape
    reach = max(1, round(_REACH * height))
    low, high = max(0, column - reach), min(width, column + reach + 1)
    # a small cost for every pixel off the column keeps cuts straight where there is no ink
    cost = ink[:, low:high] + 0.02 * np.abs(np.arange(low, high) - column) / reach
    total, steps = cost[0], np.zeros((height, high - low), np.int64)
    for row in range(1, height):
        padded = np.pad(total, 1, constant_values=np.inf)
        options = np.stack([padded[1:-1], padded[:-2], padded[2:]])
        best = options.argmin(axis=0)
        steps[row] = np.array([0, -1, 1])[best]
        total = cost[row] + options.min(axis=0)
    path = np.empty(height, np.int64)
    path[-1] = total.argmin()
    for row in range(height - 1, 0, -1):
        path[row - 1] = path[row] + steps[row, path[row]]
    path += low
    return path
