"""Classify array files of images that are in MNIST's form already."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.errors import ImageError, os_errors_as
from cnn_mnist.inference.model import BATCH_SIZE, Model, inputs
from cnn_mnist.reading.result import Digit


def read_array(model: Model, path: Path) -> Iterator[Digit]:
    """Classify every image of an array file; none is refused.

    Args:
        model: the network.
        path: `.npy`, or IDX; see `Model.predict` for shapes and types.

    Yields:
        The digit of each image, in order.

    Raises:
        ImageError: the array has another shape, type or range, or its `.npy` file cannot be read.
        DataError: the IDX file cannot be read.
    """
    for images in _npy_batches(path) if path.suffix == ".npy" else _idx_batches(path):
        _, probabilities = model.predict(images)
        for row, (image,) in zip(probabilities, chain(*inputs(images)), strict=True):
            yield Digit.of(row, (0, 0, IMAGE_SIZE, IMAGE_SIZE), image)


def _idx_batches(path: Path) -> Iterator[npt.NDArray[Any]]:
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
