"""Read `mnist.npz`, the form in which Keras keeps MNIST: four arrays in one zip archive.

Guarantee: nothing is unpickled, and no array is held that is larger than `idx.MAX_BYTES`, whatever
the archive announces or expands to.
"""

import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from cnn_mnist.data.idx import MAX_BYTES
from cnn_mnist.data.raw_data import Images, Labels, RawData, as_images, as_labels
from cnn_mnist.errors import DataError, first_line, os_errors_as

_TRAIN, _TEST = ("x_train", "y_train"), ("x_test", "y_test")


def read_npz(path: Path) -> RawData:
    """Read an archive with `x_train`, `y_train` and, where it has test images, `x_test`, `y_test`.

    Raises:
        DataError: it cannot be read, lacks an array, or one has another shape, type or range.
    """
    try:
        with os_errors_as(DataError, f"{path} cannot be read"), zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
            needed = {*_TRAIN, *_TEST} if names & {*_TEST} else {*_TRAIN}
            if missing := needed - names:
                raise DataError(
                    f"{path} has no array {min(missing)}: expected x_train, y_train, x_test, "
                    f"y_test; it holds {', '.join(sorted(names)) or 'nothing'!r:.200}"
                )
            test = _pair(archive, path, *_TEST) if names & {*_TEST} else None
            return RawData(name=path.name, train=_pair(archive, path, *_TRAIN), test=test)
    except (
        *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, LookupError, ValueError),
        *(NotImplementedError, RuntimeError),  # compressed in another way; encrypted
    ) as error:
        raise DataError(f"{path} is not an NPZ file, or is damaged: {first_line(error)}") from error


def _pair(archive: zipfile.ZipFile, path: Path, images: str, labels: str) -> tuple[Images, Labels]:
    return (
        as_images(_read_array(archive, path, images), f"{path}: {images}"),
        as_labels(_read_array(archive, path, labels), f"{path}: {labels}"),
    )


def _read_array(archive: zipfile.ZipFile, path: Path, name: str) -> npt.NDArray[Any]:
    """Read one array; its size is checked before any of it is decompressed."""
    with archive.open(f"{name}.npy") as stream:
        version = npy.read_magic(stream)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, by_columns, dtype = read_header(stream)
        if dtype.hasobject:
            raise DataError(f"{path}: {name} holds Python objects, which are never loaded")
        size_bytes = math.prod(shape) * dtype.itemsize
        if not 0 <= size_bytes <= MAX_BYTES:
            raise DataError(
                f"{path}: {name} is larger than the limit of {MAX_BYTES >> 20:,} MiB: {shape} "
                f"of {dtype}"
            )
        content = bytearray(stream.read(size_bytes))  # which makes a writable array
        if len(content) < size_bytes or stream.read(1):
            raise DataError(f"{path}: {name} has more or fewer values than {shape} needs")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if by_columns else "C")
