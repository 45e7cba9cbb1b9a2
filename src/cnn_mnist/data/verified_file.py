"""Read a file of a data set, and verify it against the catalogue's checksum."""

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.data import idx
from cnn_mnist.data.catalog import File
from cnn_mnist.data.raw_data import as_labels
from cnn_mnist.errors import DataError, os_errors_as
from cnn_mnist.files import read_bounded

MAX_FILE_BYTES: Final = 1 << 30


def read_file(file: File, folder: Path) -> npt.NDArray[np.uint8]:
    """Read one file of a data set under any of its spellings.

    Returns:
        Images `(N, height, width)` or labels `(N,)`.

    Raises:
        DataError: it is missing, damaged or not the expected one.
    """
    return read_path(file, find_file(file, folder))


def find_file(file: File, folder: Path) -> Path:
    """Return the path of one file of a data set.

    Raises:
        DataError: it is missing.
    """
    present = file.find_in(folder)
    if not present:
        raise DataError(f"{folder / file.name}[.gz] is missing")
    return present[0]


def read_path(file: File, path: Path) -> npt.NDArray[np.uint8]:
    """Read one file of a data set at a path of any name; see `read_file`."""
    if is_verified(file, path) and file.md5:
        _check_md5(path, file.md5)
    if file.name.endswith("-int"):  # QMNIST's: the class is the first of eight columns
        return as_labels(idx.read_int32(path, dimensions=2)[:, :1], str(path))
    return idx.read(path, dimensions=file.dimensions, sha256=file.sha256)


def is_verified(file: File, path: Path) -> bool:
    """Return whether a checksum is known for the file as it lies at a path."""
    return file.sha256 is not None or (file.md5 is not None and path.suffix == ".gz")


def _check_md5(path: Path, md5: str) -> None:
    with os_errors_as(DataError, f"{path} cannot be read"):
        content = read_bounded(path, MAX_FILE_BYTES)
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if digest != md5:
        raise DataError(
            f"{path} is not the expected file: MD5 {digest}, expected {md5}; delete it and fetch "
            "it again"
        )
