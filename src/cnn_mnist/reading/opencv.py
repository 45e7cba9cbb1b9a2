"""Wrap the image filters of OpenCV that the other files use.

OpenCV loads in a tenth of SciPy's time, for which the reader of a single picture would wait.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

Field: TypeAlias = npt.NDArray[np.float32]
"""A value at each pixel, `(height, width)`, or `(height, width, channels)` where it says so."""
Mask: TypeAlias = npt.NDArray[np.bool_]
"""`(height, width)`."""
Boxes: TypeAlias = npt.NDArray[np.int64]
"""`(N, 4)`: left, top, right, bottom in pixels; right and bottom are exclusive."""

_Values = TypeVar("_Values", bound=npt.NDArray[Any])


def decode_16_bit(content: bytes, frame: int) -> npt.NDArray[np.uint16] | None:
    """Decode one frame of a PNG or TIFF file of 16-bit colours.

    Returns:
        `(height, width, 3 or 4)` RGB or RGBA as stored, not turned; None where OpenCV cannot.
    """
    flags, span = cv2.IMREAD_UNCHANGED, (frame, frame + 1)
    _, images = cv2.imdecodemulti(np.frombuffer(content, np.uint8), flags, range=span)
    if not images or images[0].dtype != np.uint16 or images[0].ndim != 3:
        return None
    return np.asarray(images[0][..., [2, 1, 0, 3][: images[0].shape[2]]], np.uint16)


def gaussian_blur(values: Field, sigma: float, *, truncate: float = 3) -> Field:
    """Blur by a Gaussian; outside, the values of the border are repeated.

    Args:
        values: `(height, width)` or `(height, width, channels)`.
        sigma: standard deviation, in pixels.
        truncate: where the Gaussian ends, in standard deviations.
    """
    side = 2 * int(truncate * sigma + 0.5) + 1
    blurred = cv2.GaussianBlur(values, (side, side), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32)


def maximum_filter(values: _Values, size: Sequence[int]) -> _Values:
    """Return the highest value in the window around each pixel.

    Args:
        values: `(height, width)`.
        size: height and width of the window, in pixels.
    """
    return _morphology(cv2.dilate, values, size)


def open_along(mask: Mask, length: int, axis: int) -> Mask:
    """Keep the runs along an axis of at least `length` pixels (morphological opening)."""
    size = (length, 1) if axis == 0 else (1, length)
    eroded = _morphology(cv2.erode, mask, size)
    # a window of even length has no middle pixel: the second filter takes the other one
    return _morphology(cv2.dilate, eroded, size, mirrored=True)


def _morphology(
    filter_: Any, values: _Values, size: Sequence[int], *, mirrored: bool = False
) -> _Values:
    """Erode or dilate by a window of a height and width."""
    height, width = size
    anchor = [(side - 1 if mirrored else side) // 2 for side in (width, height)]
    bytes_ = values.view(np.uint8) if values.dtype == np.bool_ else values
    window = np.ones((height, width), np.uint8)
    filtered = filter_(np.ascontiguousarray(bytes_), window, anchor=anchor)
    return filtered.view(values.dtype)  # type: ignore[no-any-return]


def otsu_threshold(grey: npt.NDArray[np.uint8]) -> float:
    """Return the level that separates two kinds of pixels best (Otsu)."""
    level, _ = cv2.threshold(
        np.ascontiguousarray(grey), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU
    )
    return float(level)


def moving_average(values: npt.NDArray[np.float64], length: int) -> npt.NDArray[np.float64]:
    """Average each of `(N,)` values with its `length` neighbours; the ends are mirrored."""
    mean = cv2.blur(values[None], (length, 1), borderType=cv2.BORDER_REFLECT)
    return np.asarray(mean[0], np.float64)


def connected_components(mask: Mask) -> tuple[npt.NDArray[np.int32], Boxes]:
    """Find the connected components; pixels that touch at a corner are connected.

    Returns:
        `(height, width)`: each pixel's component, numbered from 1, and 0 outside the mask; and the
        components' bounding boxes.
    """
    image = np.ascontiguousarray(mask).view(np.uint8)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(image, connectivity=8)
    left, top, width, height = statistics[1:, :4].astype(np.int64).T
    boxes = np.stack([left, top, left + width, top + height], axis=1)
    return np.asarray(labels, np.int32), boxes


def distance_transform(mask: Mask) -> Field:
    """Return the distance, in pixels, from each pixel to the nearest one outside the mask."""
    image = np.ascontiguousarray(mask).view(np.uint8)
    distances = cv2.distanceTransform(image, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # its last digits differ from call to call; the square of a distance is a whole number
    return np.sqrt(np.rint(np.square(distances))).astype(np.float32)
