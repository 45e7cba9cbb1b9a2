"""Decode an image file safely to upright pixels, at a bounded resolution, page by page."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import chain, count, islice
from typing import Final
from warnings import catch_warnings, simplefilter

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ExifTags import Base as Tag

from cnn_mnist.errors import ImageError, ImageSizeError, reason_of
from cnn_mnist.reading import documents
from cnn_mnist.reading.input_types import Source, name_of, open_source
from cnn_mnist.reading.levels import restore_16_bit, to_rgb

FORMATS: Final = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jfif"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
}
"""The formats that Pillow decodes, under its names, and their file name suffixes."""
SUFFIXES: Final = tuple(chain(*FORMATS.values()))
IMAGE_SUFFIXES: Final = (*SUFFIXES, *documents.HEIC_SUFFIXES, *documents.PDF_SUFFIXES)
"""Of every file that `decode` takes; the last ones need an extra."""
MAX_FILE_BYTES: Final = 64 << 20
MAX_PIXELS: Final = 100_000_000
MAX_SIDE: Final = 1280
"""Longest side, in pixels, at which a picture is processed; a page of digits is still legible."""

_PAGED: Final = ("TIFF", "GIF", "PNG", "WEBP", "AVIF")
"""Formats whose frames are pictures; those of a phone's JPEG (MPO) are previews and depth."""
_MAX_BLANK: Final = 10  # blank pages that are passed over before the first one that is read
_REDUCED: Final = 254, 1  # the tag of a TIFF's page, and its bit, that mark a smaller copy
_QUARTER_TURNS: Final = (5, 6, 7, 8)  # EXIF orientations that swap width and height


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture."""

    pixels: npt.NDArray[np.uint8]
    """`(height, width, 3)` RGB, upright; the longest side is at most `MAX_SIDE`."""
    size: tuple[int, int]
    """Width and height of the upright picture at its original size, in pixels; of a PDF page in
    points."""
    page: int | None = None
    """Which page or frame of several it is, from 1; None where there is only one."""


def decode(source: Source, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode a picture; of several pages or frames, the first that is not blank.

    Args:
        source: a picture in any form, see `Source`. A file is PNG, JPEG, BMP, GIF, WebP, TIFF or
            AVIF of any mode, HEIC (with the extra `heif`) or PDF (with the extra `pdf`).
        max_pixels: the largest width times height that is decoded.

    Returns:
        It upright by its EXIF orientation, transparency on white (on black where the strokes are
        white). Where the first ten pages are blank, the first.

    Raises:
        ImageSizeError: it has too many bytes or pixels.
        ImageError: it cannot be read, is not an image, is damaged, or needs an extra.
    """
    first = None
    for picture in islice(pages(source, max_pixels=max_pixels), _MAX_BLANK + 1):
        if (picture.pixels != picture.pixels[0, 0]).any():
            return picture
        first = first or picture
    if first is None:
        raise ImageError(f"{name_of(source)} has no pages")
    return first


def pages(source: Source, *, max_pixels: int = MAX_PIXELS) -> Iterator[Picture]:
    """Decode each page of a TIFF or PDF, each frame of an animation, or the only picture.

    Reduced copies of a page, as some TIFF files hold, and a phone's previews are left out.

    Args:
        source: see `decode`.
        max_pixels: see `decode`.

    Raises:
        ImageError: see `decode`; the pages before a damaged one are yielded.
    """
    name = name_of(source)
    opened = open_source(source, MAX_FILE_BYTES)
    if isinstance(opened, Image.Image):
        yield _decode(opened, name, max_pixels)
    elif documents.is_pdf(opened):
        for number, (image, size) in enumerate(documents.pdf_pages(opened, name, 2 * MAX_SIDE), 1):
            yield Picture(_upright(image)[0], size, number)
    else:
        yield from _frames(opened, name, max_pixels)


def _frames(content: bytes, name: str, max_pixels: int) -> Iterator[Picture]:
    with _image_errors(name, max_pixels):
        image = _open(content, name)
        several = image.format in _PAGED and getattr(image, "is_animated", False)
    if not several:
        yield _decode(image, name, max_pixels, content)
        return
    number = 0
    for frame in count():
        with _image_errors(name, max_pixels):
            try:
                image.seek(frame)
            except EOFError:
                return
            if _is_reduced(image):
                continue
            picture = _decode(image, name, max_pixels, content)
        number += 1
        yield replace(picture, page=number)


def _open(content: bytes, name: str) -> Image.Image:
    if documents.is_heic(content):
        return documents.open_heic(content, name)
    return Image.open(BytesIO(content), formats=tuple(FORMATS))


def _is_reduced(image: Image.Image) -> bool:
    """Return whether a page of a TIFF is a smaller copy of another."""
    tag, bit = _REDUCED
    return bool(getattr(image, "tag_v2", {}).get(tag, 0) & bit)


def _decode(
    image: Image.Image, name: str, max_pixels: int, content: bytes | None = None
) -> Picture:
    """Decode the current frame of an image; without `content` it is the caller's own."""
    with _image_errors(name, max_pixels):
        width, height = image.size
        if width * height > max_pixels:
            raise ImageSizeError(f"{name} has {width}x{height} pixels: the limit is {max_pixels:,}")
        if content is not None:
            _draft(image)
            image = restore_16_bit(image, content)
        pixels, turned = _upright(image)
    return Picture(pixels, (height, width) if turned else (width, height))


def _draft(image: Image.Image) -> None:
    """Let a JPEG be decoded at a half, a quarter or an eighth of its size, which is faster."""
    shrink = max(image.size) / MAX_SIDE
    if shrink > 1:
        width, height = (round(side / shrink) or 1 for side in image.size)
        image.draft(None, (width, height))


def _upright(image: Image.Image) -> tuple[npt.NDArray[np.uint8], bool]:
    """Return RGB pixels, upright and reduced, and whether a quarter turn brought them upright."""
    image.load()
    colours = to_rgb(image, MAX_SIDE)
    colours.info = dict(image.info)  # the orientation is there, in EXIF or in XMP
    turned = colours.getexif().get(Tag.Orientation) in _QUARTER_TURNS
    colours = ImageOps.exif_transpose(colours)
    colours.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    return np.asarray(colours), turned


@contextmanager
def _image_errors(name: str, max_pixels: int) -> Iterator[None]:
    """Turn what Pillow raises into one line of the package's own kind."""
    try:
        with catch_warnings():
            simplefilter("ignore")  # Pillow warns of oddities (EXIF, palettes) that do no harm here
            yield
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{name} is not an image: expected {', '.join(FORMATS)}, HEIC, PDF"
        ) from error
    except Image.DecompressionBombError as error:
        raise ImageSizeError(f"{name} has too many pixels: the limit is {max_pixels:,}") from error
    except OSError as error:
        raise ImageError(f"{name} cannot be read: {reason_of(error)}") from error
    except (ValueError, TypeError, SyntaxError, EOFError, LookupError, struct.error) as error:
        # raised by Pillow's decoders on damaged files
        raise ImageError(f"{name} is damaged: {error}") from error
