"""A picture file to its pixels: safely, upright, on white, at a bounded resolution."""

import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final
from warnings import catch_warnings, simplefilter

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from cnn_mnist.errors import ImageError, ImageSizeError

FORMATS: Final = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
MAX_FILE_BYTES: Final = 64 << 20
MAX_PIXELS: Final = 100_000_000
MAX_SIDE: Final = 1280
"""The longest side, in pixels, at which a picture is worked on; a page of digits is legible."""

_DEEP: Final = ("I", "F")  # 32 bits a pixel: there is no agreed white, so they are stretched


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture."""

    pixels: npt.NDArray[np.uint8]
    """`(height, width, 3)` RGB, upright; the longest side is at most `MAX_SIDE`."""
    size: tuple[int, int]
    """Width and height of the upright picture before it was reduced."""


def decode(picture: Path | bytes, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode a picture's first frame, upright, transparency on white.

    Args:
        picture: a file or its bytes: PNG, JPEG, BMP, GIF, WebP or TIFF of any mode.
        max_pixels: width times height that is refused before it is decoded, if more.

    Raises:
        ImageSizeError: it is too large.
        ImageError: it cannot be read, is no picture, or is damaged.
    """
    name = str(picture) if isinstance(picture, Path) else "the picture"
    try:
        content = picture.read_bytes() if isinstance(picture, Path) else picture
        if len(content) > MAX_FILE_BYTES:
            raise ImageSizeError(
                f"{name} is {len(content):,} bytes: at most {MAX_FILE_BYTES:,} fit"
            )
        with catch_warnings():
            simplefilter("ignore")  # Pillow warns of oddities (EXIF, palettes) that do no harm here
            with Image.open(BytesIO(content), formats=FORMATS) as image:
                if image.width * image.height > max_pixels:
                    raise ImageSizeError(
                        f"{name} is {image.width}x{image.height}: at most {max_pixels:,} pixels fit"
                    )
                return _decode(image)
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is no picture: expected {', '.join(FORMATS)}") from error
    except Image.DecompressionBombError as error:
        raise ImageSizeError(f"{name} has too many pixels: at most {max_pixels:,} fit") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise ImageError(f"{name} cannot be read: {reason}") from error
    except (ValueError, TypeError, SyntaxError, EOFError, LookupError, struct.error) as error:
        # what Pillow's decoders raise on damaged files
        raise ImageError(f"{name} is damaged: {error}") from error


def _decode(image: Image.Image) -> Picture:
    width, height = image.size
    shrink = max(width, height) / MAX_SIDE
    if shrink > 1:  # a JPEG decoder gives a half, a quarter or an eighth for less than the whole
        image.draft(None, (round(width / shrink) or 1, round(height / shrink) or 1))
    upright = ImageOps.exif_transpose(image)
    turned = (upright.width > upright.height) != (width > height)
    colours = _rgb(upright)
    colours.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    return Picture(np.asarray(colours), (height, width) if turned else (width, height))


def _rgb(image: Image.Image) -> Image.Image:
    """Eight bits of three colours, transparency on white."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in _DEEP:
        image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
        values = np.nan_to_num(np.asarray(image, np.float64))
        low, high = values.min(), values.max()
        image = Image.fromarray(((values - low) * (255 / max(high - low, 1e-9))).astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
