"""Wrap the image filters of OpenCV that the other files use.

OpenCV loads in a tenth of SciPy's time, for which the reader of a single picture would wait.
"""

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Field: TypeAlias = npt.NDArray[np.float32]
"""A value at each pixel, `(height, width)`."""
Mask: TypeAlias = npt.NDArray[np.bool_]
"""`(height, width)`."""


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


def maximum_filter(values: Field, side: int) -> Field:
    """Return the highest of `(height, width)` values in the square of a side around each pixel."""
    return np.asarray(cv2.dilate(values, np.ones((side, side), np.uint8)), np.float32)


def connected_components(mask: Mask) -> npt.NDArray[np.int32]:
    """Number the connected components; pixels that touch at a corner are connected.

    Returns:
        `(height, width)`: each pixel's component, from 1, and 0 outside the mask.
    """
    _, labels = cv2.connectedComponents(np.ascontiguousarray(mask).view(np.uint8), connectivity=8)
    return np.asarray(labels, np.int32)


def distance_transform(mask: Mask) -> Field:
    """Return the distance, in pixels, from each pixel to the nearest one outside the mask."""
    image = np.ascontiguousarray(mask).view(np.uint8)
    distances = cv2.distanceTransform(image, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # its last digits differ from call to call; the square of a distance is a whole number
    return np.sqrt(np.rint(np.square(distances))).astype(np.float32)
