"""Load a data set by its name or from a folder.

MNIST is searched in `--data-dir`, `$CNN_MNIST_DATA` and the user's cache, and then downloaded into
the cache. The first place that holds any of its files is used: a damaged or missing file there is
an error, and the search does not silently go on.
"""

import os
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.data import digits, idx
from cnn_mnist.data.catalog import ANY_IDX, DIGITS, MNIST, File, Source
from cnn_mnist.data.dataset import Dataset
from cnn_mnist.data.fetch import cache_directory, fetch
from cnn_mnist.errors import CnnMnistWarning, DataError, DownloadError, os_errors_as

_DATA_VARIABLE: Final = "CNN_MNIST_DATA"


def load(name: str = "auto", data_dir: Path | None = None) -> Dataset:
    """Load a data set.

    Args:
        name: `mnist`; `digits`; `auto` (MNIST where it is available, else the digits, with a
            `CnnMnistWarning`); or a folder with the four IDX files of any data set of 28x28 images
            and up to 256 classes, which takes the folder's name.
        data_dir: where MNIST is looked for first, as `data_dir/mnist/`.

    Raises:
        DataError: there is no such name or folder; or a file is missing, damaged or of the wrong
            form.
        DownloadError: (`mnist` only) it is not on this machine, and no mirror delivered it.
        MissingExtraError: a library that the data set needs is not installed.
    """
    if name == DIGITS.name:
        return digits.load()
    if name == MNIST.name:
        return _load_mnist(data_dir)
    if name == "auto":
        try:
            return _load_mnist(data_dir)
        except DownloadError as error:
            warnings.warn(
                f"MNIST is not available, scikit-learn's digits are used instead: {error}",
                CnnMnistWarning,
                stacklevel=2,
            )
            return digits.load()
    folder = Path(name)
    with os_errors_as(DataError, f"{name} cannot be read"):
        if not folder.is_dir():
            raise DataError(
                f"unknown data set or folder {name!r}: expected mnist, digits, auto, "
                "or a folder with four IDX files"
            )
        return _read_folder(folder.resolve().name, folder, ANY_IDX)


def _load_mnist(data_dir: Path | None) -> Dataset:
    folder = find(MNIST, data_dir)
    if folder is None:
        folder = fetch(MNIST, cache_directory())
    try:
        return _read_folder(MNIST.name, folder, MNIST.files)
    except DataError:
        if folder.parent not in _cache():
            raise
        # the cache is this program's own: missing and damaged files there are fetched again
        return _read_folder(MNIST.name, fetch(MNIST, folder.parent), MNIST.files)


def _cache() -> list[Path]:
    """Return the user's cache; nothing where there is none, or another user's home hides it."""
    with suppress(DownloadError):
        if os.access(directory := cache_directory(), os.X_OK):
            return [directory]
    return []


def find(source: Source, data_dir: Path | None = None) -> Path | None:
    """Return the folder of the first place on this machine that holds any file of `source`.

    Raises:
        DataError: `data_dir` or `$CNN_MNIST_DATA` is not a directory, or cannot be entered.
    """
    places = _cache()
    for origin, place in (
        (f"${_DATA_VARIABLE}", os.environ.get(_DATA_VARIABLE)),
        ("--data-dir", data_dir),
    ):
        if place:
            with os_errors_as(DataError, f"{origin}={place} cannot be read"):
                if not Path(place).is_dir():
                    raise DataError(f"{origin}={place} is not a directory")
            places.insert(0, Path(place))
    for place in places:
        folder = place / source.name
        with os_errors_as(DataError, f"{folder} cannot be read"):
            if any(file.find_in(folder) for file in source.files):
                return folder
    return None


def read_file(file: File, folder: Path) -> npt.NDArray[np.uint8]:
    """Read one file of a data set under any of its spellings.

    Raises:
        DataError: it is missing, damaged or not the expected one.
    """
    present = file.find_in(folder)
    if not present:
        raise DataError(f"{folder / file.name}[.gz] is missing")
    return idx.read(present[0], dimensions=file.dimensions, sha256=file.sha256)


def _read_folder(name: str, folder: Path, files: tuple[File, ...]) -> Dataset:
    train_images, train_labels, test_images, test_labels = (
        read_file(file, folder) for file in files
    )
    try:
        return Dataset.from_arrays(name, (train_images, train_labels), (test_images, test_labels))
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error
