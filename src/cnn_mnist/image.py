"""From any picture to the digit in it, in MNIST's own form (Pillow and NumPy, no torch).

MNIST's form: light ink on black, the digit's box fitted to 20x20 with its aspect kept, then placed
in 28x28 so that its centre of mass lies in the middle. Source: the description on the first home
of MNIST, http://yann.lecun.com/exdb/mnist/.

Covered so far: one digit on an even ground, dark on light or light on dark, anywhere in the
picture. Not yet: uneven light, ruled paper, several digits.
"""

import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final
from warnings import catch_warnings, simplefilter

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from cnn_mnist.errors import ImageError

FORMATS: Final = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
MAX_FILE_BYTES: Final = 64 << 20
MAX_PIXELS: Final = 100_000_000
SIZE: Final = 28
BOX: Final = 20
MIDDLE: Final = SIZE / 2 + 0.5
"""Where MNIST has a digit's centre of mass: the middle of pixel 14 on both axes, half a pixel off
the middle of the picture. All 70,000 lie within half a pixel of it (two of them barely not)."""

_MIN_CONTRAST: Final = 16  # of 255: below it there is only paper
_INK: Final = 0.1  # share of the darkest ink's strength that counts as ink


@dataclass(frozen=True, eq=False)
class Glyph:
    """One digit of a picture."""

    image: npt.NDArray[np.float32]
    """`(28, 28)` in [0, 1], in MNIST's form."""
    box: tuple[int, int, int, int]
    """Left, top, right, bottom in pixels of the upright picture; right and bottom are outside."""


def decode(picture: Path | bytes) -> npt.NDArray[np.uint8]:
    """Decode a picture's first frame to grey levels, upright, transparency on white.

    Args:
        picture: a file or its bytes: PNG, JPEG, BMP, GIF, WebP or TIFF of any mode.

    Returns:
        `(height, width) uint8`, 0 is black.

    Raises:
        ImageError: it cannot be read, is no picture, is damaged, or is too large.
    """
    name = str(picture) if isinstance(picture, Path) else "the picture"
    try:
        content = picture.read_bytes() if isinstance(picture, Path) else picture
        if len(content) > MAX_FILE_BYTES:
            raise ImageError(f"{name} is {len(content):,} bytes: at most {MAX_FILE_BYTES:,} fit")
        with catch_warnings():
            simplefilter("ignore")  # Pillow warns of oddities (EXIF, palettes) that do no harm here
            with Image.open(BytesIO(content), formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ImageError(
                        f"{name} is {image.width}x{image.height}: at most {MAX_PIXELS:,} pixels fit"
                    )
                return _grey(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is no picture: expected {', '.join(FORMATS)}") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} has too many pixels: at most {MAX_PIXELS:,} fit") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise ImageError(f"{name} cannot be read: {reason}") from error
    except (ValueError, TypeError, SyntaxError, EOFError, LookupError, struct.error) as error:
        # what Pillow's decoders raise on damaged files
        raise ImageError(f"{name} is damaged: {error}") from error


def _grey(image: Image.Image) -> npt.NDArray[np.uint8]:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        # 16 bits are brought to 8; other ranges have no agreed white and are stretched
        low, high = (0.0, 65535.0) if "I;16" in image.mode else (values.min(), values.max())
        return np.clip((values - low) * (255 / max(high - low, 1e-9)), 0, 255).astype(np.uint8)
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB").convert("L"))


def find_digits(grey: npt.NDArray[np.uint8]) -> list[Glyph]:
    """Find the digits of a picture and bring each into MNIST's form.

    Args:
        grey: `(height, width) uint8`.

    Returns:
        The digits in reading order; empty where there is only paper.
    """
    ink = _ink(grey)
    if ink is None:
        return []
    rows, columns = (
        np.flatnonzero((ink > _INK).any(axis=1)),
        np.flatnonzero((ink > _INK).any(axis=0)),
    )
    left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    image = _place(ink[top:bottom, left:right])
    return [Glyph(image=image, box=(int(left), int(top), int(right), int(bottom)))]


def _ink(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32] | None:
    """Strength of the ink in [0, 1], paper 0, whichever of the two is darker; None without ink."""
    low, paper, high = int(grey.min()), float(np.median(grey)), int(grey.max())
    if high - low < _MIN_CONTRAST:
        return None
    # the ground covers most of a picture, so its level is the median and ink is the far end
    far = low if paper - low > high - paper else high
    strength = (grey - np.float32(paper)) / np.float32(far - paper)
    clipped: npt.NDArray[np.float32] = np.clip(strength, 0, 1, dtype=np.float32)
    return clipped


def _place(ink: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Fit a digit's box to 20x20 and centre its mass in 28x28."""
    scale = BOX / max(ink.shape)
    if scale != 1:
        height, width = (max(1, round(side * scale)) for side in ink.shape)
        resized = Image.fromarray(ink).resize((width, height), Image.Resampling.BICUBIC)
        ink = np.clip(np.asarray(resized), 0, 1)
    canvas = np.zeros((SIZE, SIZE), np.float32)
    top, left = (
        int(np.clip(round(MIDDLE - _centre(ink, axis)), 0, SIZE - ink.shape[axis]))
        for axis in (0, 1)
    )
    canvas[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return canvas


def _centre(ink: npt.NDArray[np.float32], axis: int) -> float:
    """Centre of mass along an axis, in pixels from the box's edge."""
    mass = ink.sum(axis=1 - axis, dtype=np.float64)
    return float((np.arange(len(mass)) + 0.5) @ mass / mass.sum())
