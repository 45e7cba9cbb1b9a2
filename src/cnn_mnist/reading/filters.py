"""What the other files need of OpenCV, under the names that they use.

OpenCV loads in a tenth of SciPy's time, which whoever reads one picture would wait for.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

Field: TypeAlias = npt.NDArray[np.float32]
Mask: TypeAlias = npt.NDArray[np.bool_]
Boxes: TypeAlias = npt.NDArray[np.int64]
"""`(N, 4)`: left, top, right, bottom in pixels; right and bottom are outside."""

_Values = TypeVar("_Values", bound=npt.NDArray[Any])


def blurred(values: Field, sigma: float, *, reach: float = 3) -> Field:
    """Smoothed by a Gaussian of a deviation in pixels, cut off at `reach` deviations.

    Args:
        values: `(height, width)` or `(height, width, channels)`; the border goes on outside.
        sigma: deviation, in pixels.
        reach: in deviations.
    """
    side = 2 * int(reach * sigma + 0.5) + 1
    smooth = cv2.GaussianBlur(values, (side, side), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smooth, np.float32)


def highest(values: _Values, size: Sequence[int]) -> _Values:
    """The highest value in a window of a height and a width around each pixel."""
    return _extreme(cv2.dilate, values, size)


def opened(mask: Mask, length: int, axis: int) -> Mask:
    """The runs along an axis that have at least this length."""
    size = (length, 1) if axis == 0 else (1, length)
    eroded = _extreme(cv2.erode, mask, size)
    # of an even length the second filter leans to the other side
    return _extreme(cv2.dilate, eroded, size, lean=-1)


def _extreme(filter_: Any, values: _Values, size: Sequence[int], lean: int = 0) -> _Values:
    height, width = size
    middle = [side // 2 if lean == 0 else (side - 1) // 2 for side in (width, height)]
    bytes_ = values.view(np.uint8) if values.dtype == np.bool_ else values
    found = filter_(np.ascontiguousarray(bytes_), np.ones((height, width), np.uint8), anchor=middle)
    return found.view(values.dtype)  # type: ignore[no-any-return]


def mean_along(values: npt.NDArray[np.float64], length: int) -> npt.NDArray[np.float64]:
    """The mean of `length` neighbours of each of `(N,)` values, which are mirrored at the ends."""
    mean = cv2.blur(values[None], (length, 1), borderType=cv2.BORDER_REFLECT)
    return np.asarray(mean[0], np.float64)


def pieces(mask: Mask) -> tuple[npt.NDArray[np.int32], Boxes]:
    """Connected pieces: strokes that meet at a corner are one.

    Returns:
        The number of each pixel's piece, from 1, 0 where there is none; and their boxes.
    """
    image = np.ascontiguousarray(mask).view(np.uint8)
    _, labels, found, _ = cv2.connectedComponentsWithStats(image, connectivity=8)
    left, top, width, height = found[1:, :4].astype(np.int64).T
    return np.asarray(labels, np.int32), np.stack([left, top, left + width, top + height], axis=1)


def distances(mask: Mask) -> Field:
    """How far the middle of each pixel is from that of the nearest one outside, in pixels."""
    image = np.ascontiguousarray(mask).view(np.uint8)
    found = cv2.distanceTransform(image, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # its last digits differ from call to call; the square of a distance is a whole number
    return np.sqrt(np.rint(np.square(found))).astype(np.float32)
