"""Draw arrays as small transparent pictures inside a page, for any background.

A picture has one pixel for each value, which the page enlarges. A value's sign is its colour, its
magnitude its opacity.
"""

from base64 import b64encode
from io import BytesIO
from math import ceil, sqrt
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

_POSITIVE: Final = (31, 111, 235)
_NEGATIVE: Final = (219, 109, 40)


def ink(image: npt.NDArray[np.uint8]) -> Image.Image:
    """Draw an image `(28, 28)`: ink black, paper transparent."""
    return Image.merge("LA", (Image.new("L", image.shape[::-1], 0), Image.fromarray(image)))


def signed(values: npt.NDArray[np.float32]) -> Image.Image:
    """Draw values `(height, width)`: blue above 0, orange below, the largest magnitude opaque."""
    magnitude = np.abs(values) / (np.abs(values).max() or 1)
    pixels = np.empty((*values.shape, 4), np.uint8)
    pixels[..., :3] = np.where(values[..., None] >= 0, _POSITIVE, _NEGATIVE)
    pixels[..., 3] = np.rint(255 * magnitude)
    pixels[pixels[..., 3] == 0] = 0  # one colour for all transparent pixels: smaller files
    return Image.fromarray(pixels)


def sheet(values: npt.NDArray[np.float32], *, gap: int = 1) -> Image.Image:
    """Draw pictures `(count, height, width)` in rows, or values `(count,)` as one picture.

    Args:
        values: drawn by `signed`.
        gap: pixels between two pictures.
    """
    if values.ndim == 1:
        columns = len(values) if len(values) <= 64 else ceil(sqrt(2 * len(values)))
        values, gap = values[:, None, None], 0
    else:
        columns = min(len(values), ceil(sqrt(2 * len(values))))
    count, height, width = values.shape
    rows = ceil(count / columns)
    tiles = np.zeros((rows * columns, height + gap, width + gap), np.float32)
    tiles[:count, :height, :width] = values
    tiles = tiles.reshape(rows, columns, height + gap, width + gap).swapaxes(1, 2)
    flat = tiles.reshape(rows * (height + gap), columns * (width + gap))
    return signed(flat[: flat.shape[0] - gap, : flat.shape[1] - gap])


def data_uri(picture: Image.Image) -> str:
    """Return a picture as a `data:` URI of its PNG file."""
    content = BytesIO()
    picture.save(content, "PNG", optimize=True)
    return "data:image/png;base64," + b64encode(content.getvalue()).decode()
