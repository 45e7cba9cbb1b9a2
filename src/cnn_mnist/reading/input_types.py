"""Take a picture in any form: a path, bytes, an open file, a Pillow image, an array."""

import os
import stat
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnn_mnist.errors import ImageError, ImageSizeError, os_errors_as
from cnn_mnist.files import read_bounded
from cnn_mnist.reading.levels import to_8_bit

Source: TypeAlias = str | os.PathLike[str] | bytes | IO[bytes] | Image.Image | npt.NDArray[Any]
"""An image file's path, its bytes, or a binary file open for reading; a Pillow image, of which the
current frame counts; or an array `(H, W)`, `(H, W, 3)` RGB or `(H, W, 4)` RGBA: uint8, uint16, bool
or floats in [0, 1]."""

_CHANNELS: Final = (3, 4)


def name_of(source: object) -> str:
    """Return a source's name for messages: its path, or `the input`."""
    return os.fspath(source) if isinstance(source, str | os.PathLike) else "the input"


def open_source(source: Source, max_bytes: int) -> bytes | Image.Image:
    """Return a file's content, at most `max_bytes`, or an image that is decoded already.

    Raises:
        ImageSizeError: the file is larger.
        ImageError: it cannot be read, or is not a `Source`.
    """
    if isinstance(source, Image.Image):
        return source
    if isinstance(source, np.ndarray):
        return _to_image(source)
    if isinstance(source, str | os.PathLike):
        return _read_path(Path(source), max_bytes)
    if isinstance(source, bytes | bytearray | memoryview):
        _check_size("the input", len(source), max_bytes)
        return bytes(source)
    if hasattr(source, "read"):
        return _read_stream(source, max_bytes)
    raise ImageError(
        f"a picture cannot be of type {type(source).__name__}: give a path, bytes, "
        "a file open in binary mode, a PIL image or a NumPy array"
    )


def _read_path(path: Path, max_bytes: int) -> bytes:
    with os_errors_as(ImageError, f"{path} cannot be read"):
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(
                f"{path} cannot be read: it is not a regular file; "
                "give a file, or - for standard input"
            )
        _check_size(str(path), status.st_size, max_bytes)
        return read_bounded(path, max_bytes)


def _read_stream(stream: IO[bytes], max_bytes: int) -> bytes:
    try:
        with os_errors_as(ImageError, "the input cannot be read"):
            content: object = stream.read(max_bytes + 1)
    except ValueError as error:  # it is closed
        raise ImageError(f"the input cannot be read: {error}") from error
    if not isinstance(content, bytes):
        raise ImageError("the input is a file open in text mode: open it with 'rb'")
    if len(content) > max_bytes:
        raise ImageSizeError(f"the input has more bytes than the limit of {max_bytes:,}")
    return content


def _check_size(name: str, size_bytes: int, max_bytes: int) -> None:
    if size_bytes > max_bytes:
        raise ImageSizeError(f"{name} has {size_bytes:,} bytes: the limit is {max_bytes:,}")


def _to_image(array: npt.NDArray[Any]) -> Image.Image:
    """Make an 8-bit image of an array; see `Source`."""
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), *((n,) for n in _CHANNELS)):
        raise ImageError(
            f"the array has shape {array.shape}: expected (height, width) or "
            "(height, width, 3 or 4)"
        )
    if array.size == 0:
        raise ImageError(f"the array has shape {array.shape}: it holds no pixel")
    return Image.fromarray(np.ascontiguousarray(_to_bytes(array)))


def _to_bytes(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return np.asarray(array, np.uint8)
    if array.dtype == np.bool_:
        return np.asarray(array * np.uint8(255), np.uint8)
    if array.dtype == np.uint16:
        return to_8_bit(array, int(array.max()))
    if not np.issubdtype(array.dtype, np.floating):
        raise ImageError(
            f"the array is of {array.dtype}: expected uint8, uint16, bool or floats in [0, 1]"
        )
    if not (array.min() >= 0 and array.max() <= 1):  # written so that NaN fails too
        raise ImageError(
            "the array's floats are not all in [0, 1]: divide them by their greatest value"
        )
    return np.asarray(np.rint(array * 255), np.uint8)
