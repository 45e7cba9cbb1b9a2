"""Take images that are in MNIST's form already: array files, and what callers have in memory."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.errors import ImageError, os_errors_as
from cnn_mnist.inference.model import BATCH_SIZE, Model, inputs
from cnn_mnist.reading.decode import IMAGE_SUFFIXES
from cnn_mnist.reading.result import Digit

_ARRAY_SUFFIXES: Final = (".npy", ".csv")
_NPY_MAGIC: Final = b"\x93NUMPY"
_IDX_MAGICS: Final = b"\0\0\x08", b"\x1f\x8b"
"""Of a file of unsigned bytes, plain and compressed."""


def is_array(path: Path) -> bool:
    """Return whether a file is an array: by its suffix, else by its name, else by its content."""
    suffix = path.suffix.lower()
    if suffix in (*_ARRAY_SUFFIXES, *IMAGE_SUFFIXES):
        return suffix in _ARRAY_SUFFIXES
    if "ubyte" in path.name or ".idx" in path.name:
        return True
    return _start(path).startswith((_NPY_MAGIC, *_IDX_MAGICS))


def _start(path: Path) -> bytes:
    """Return a regular file's first bytes, or none."""
    if not path.is_file():
        return b""
    try:
        with path.open("rb") as stream:
            return stream.read(len(_NPY_MAGIC))
    except OSError:  # told by who reads the file
        return b""


def read_array(model: Model, path: Path) -> Iterator[Digit]:
    """Classify every image of an array file; none is refused.

    Args:
        model: the network.
        path: `.npy`, `.csv` (a row of pixels each, a column `label` is passed over) or IDX; see
            `Model.predict` for shapes and types.

    Yields:
        The digit of each image, in order.

    Raises:
        ImageError: the array has another shape, type or range, or its `.npy` file cannot be read.
        DataError: the IDX or CSV file cannot be read.
    """
    if path.exists() and not path.is_file():
        raise ImageError(f"{path} cannot be read: it is not a regular file")
    for images in _batches(path):
        _, probabilities = model.predict(images)
        for row, (image,) in zip(probabilities, chain(*inputs(images)), strict=True):
            box = (0, 0, IMAGE_SIZE, IMAGE_SIZE)
            yield Digit.of(row, box, image, class_names=model.class_names)


def _batches(path: Path) -> Iterator[npt.NDArray[Any]]:
    if path.suffix.lower() == ".csv":
        from cnn_mnist.data.csv_file import csv_batches  # imported here: so is the next one

        return (images for images, _ in csv_batches(path, BATCH_SIZE))
    if path.suffix.lower() == ".npy" or _start(path) == _NPY_MAGIC:
        return _npy_batches(path)
    from cnn_mnist.data import idx  # imported here: reading a .npy file need not wait for it

    return idx.batches(path, BATCH_SIZE, dimensions=3)


def _npy_batches(path: Path) -> Iterator[npt.NDArray[Any]]:
    try:
        with os_errors_as(ImageError, f"{path} cannot be read"):
            # unlike np.load it accepts neither a zip archive nor a pickle
            images = np.atleast_1d(np.lib.format.open_memmap(path, mode="r"))
    except (ValueError, EOFError) as error:
        raise ImageError(f"{path} is not an array file: {error}") from error
    for start in range(0, len(images), BATCH_SIZE):
        yield images[start : start + BATCH_SIZE]


def to_array(images: object) -> npt.NDArray[Any]:
    """Return images as an array, for `Model.predict`.

    Args:
        images: an array; a torch tensor on any device; or a list of these, or of numbers, of which
            whole ones are grey levels of 0 to 255.

    Raises:
        ImageError: they are of another type, or a list's images differ in shape.
    """
    if isinstance(images, np.ndarray):
        return images
    if hasattr(images, "detach"):  # a torch tensor; bfloat16 has no NumPy type
        tensor = images.detach().cpu()
        return np.asarray(tensor.float() if tensor.is_floating_point() else tensor)
    if not isinstance(images, list | tuple):
        raise ImageError(
            f"images cannot be of type {type(images).__name__}: "
            "give an array, a torch tensor or a list of images"
        )
    try:
        array = np.asarray(
            [
                image if isinstance(image, list | tuple | int | float) else to_array(image)
                for image in images
            ]
        )
    except ValueError as error:
        raise ImageError("the images of the list differ in shape") from error
    if array.dtype == np.int64 and array.size and array.min() >= 0 and array.max() <= 255:
        return array.astype(np.uint8)
    return array
