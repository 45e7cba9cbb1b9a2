"""Decode an image file safely to upright pixels on white, at a bounded resolution."""

import struct
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Final
from warnings import catch_warnings, simplefilter

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from cnn_mnist.errors import ImageError, ImageSizeError, reason_of

FORMATS: Final = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
}
"""The supported formats under Pillow's names, and their file name suffixes."""
SUFFIXES: Final = tuple(chain(*FORMATS.values()))
MAX_FILE_BYTES: Final = 64 << 20
MAX_PIXELS: Final = 100_000_000
MAX_SIDE: Final = 1280
"""Longest side, in pixels, at which a picture is processed; a page of digits is still legible."""

_DEEP_MODES: Final = ("I", "F")  # 32 bits a pixel: no level is white by convention


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded image file."""

    pixels: npt.NDArray[np.uint8]
    """`(height, width, 3)` RGB, upright; the longest side is at most `MAX_SIDE`."""
    size: tuple[int, int]
    """Width and height of the upright picture at its original size, in pixels."""


def decode(picture: Path | bytes, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode the first frame of an image file, upright, transparency on white.

    Args:
        picture: a file or its bytes: PNG, JPEG, BMP, GIF, WebP or TIFF of any mode.
        max_pixels: the largest width times height that is decoded.

    Raises:
        ImageSizeError: it has too many bytes or pixels.
        ImageError: it cannot be read, is not an image, or is damaged.
    """
    name = str(picture) if isinstance(picture, Path) else "the input"
    try:
        content = picture.read_bytes() if isinstance(picture, Path) else picture
        if len(content) > MAX_FILE_BYTES:
            raise ImageSizeError(
                f"{name} has {len(content):,} bytes: the limit is {MAX_FILE_BYTES:,}"
            )
        with catch_warnings():
            simplefilter("ignore")  # Pillow warns of oddities (EXIF, palettes) that do no harm here
            with Image.open(BytesIO(content), formats=tuple(FORMATS)) as image:
                if image.width * image.height > max_pixels:
                    raise ImageSizeError(
                        f"{name} has {image.width}x{image.height} pixels: "
                        f"the limit is {max_pixels:,}"
                    )
                return _decode(image)
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is not an image: expected {', '.join(FORMATS)}") from error
    except Image.DecompressionBombError as error:
        raise ImageSizeError(f"{name} has too many pixels: the limit is {max_pixels:,}") from error
    except OSError as error:
        raise ImageError(f"{name} cannot be read: {reason_of(error)}") from error
    except (ValueError, TypeError, SyntaxError, EOFError, LookupError, struct.error) as error:
        # raised by Pillow's decoders on damaged files
        raise ImageError(f"{name} is damaged: {error}") from error


def _decode(image: Image.Image) -> Picture:
    width, height = image.size
    shrink = max(width, height) / MAX_SIDE
    if shrink > 1:  # a JPEG decodes faster at a half, a quarter or an eighth of its size
        image.draft(None, (round(width / shrink) or 1, round(height / shrink) or 1))
    upright = ImageOps.exif_transpose(image)
    turned = (upright.width > upright.height) != (width > height)
    colours = _to_rgb(upright)
    colours.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    return Picture(np.asarray(colours), (height, width) if turned else (width, height))


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert to 8-bit RGB, transparency on white; levels of 32 bits are stretched to 0..255."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in _DEEP_MODES:
        image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
        values = np.nan_to_num(np.asarray(image, np.float64))
        low, high = values.min(), values.max()
        image = Image.fromarray(((values - low) * (255 / max(high - low, 1e-9))).astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
