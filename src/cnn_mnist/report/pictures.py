"""Arrays as small pictures inside a page: strength is opacity, so that any background will do.

Ink and activations above zero are drawn in one colour, what is below zero in another. A picture
has one pixel for each value; the page enlarges it.
"""

from base64 import b64encode
from io import BytesIO
from math import ceil, sqrt
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

_ABOVE: Final = (31, 111, 235)
_BELOW: Final = (219, 109, 40)


def ink(image: npt.NDArray[np.uint8]) -> Image.Image:
    """A digit `(28, 28)`, black on nothing."""
    return Image.merge("LA", (Image.new("L", image.shape[::-1], 0), Image.fromarray(image)))


def signed(values: npt.NDArray[np.float32]) -> Image.Image:
    """Values `(height, width)`, the largest magnitude opaque: blue above zero, orange below."""
    strength = np.abs(values) / (np.abs(values).max() or 1)
    pixels = np.empty((*values.shape, 4), np.uint8)
    pixels[..., :3] = np.where(values[..., None] >= 0, _ABOVE, _BELOW)
    pixels[..., 3] = np.rint(255 * strength)
    pixels[pixels[..., 3] == 0] = 0  # nothing to see has no colour: smaller files
    return Image.fromarray(pixels)


def sheet(values: npt.NDArray[np.float32], *, gap: int = 1) -> Image.Image:
    """Pictures `(count, height, width)` in rows, or values `(count,)` as one picture of them."""
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
    """A picture as the address of itself."""
    content = BytesIO()
    picture.save(content, "PNG", optimize=True)
    return "data:image/png;base64," + b64encode(content.getvalue()).decode()
