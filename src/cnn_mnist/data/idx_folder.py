"""Read and write a data set as a folder of four IDX files, and a file with its class names.

`classes.txt` has a name a line, in the order of the labels; it is there where they are not `0`,
`1` and so on.
"""

from pathlib import Path
from typing import Final

import numpy as np

from cnn_mnist.data import idx
from cnn_mnist.data.catalog import ANY_IDX, File
from cnn_mnist.data.class_names import checked_names, default_names
from cnn_mnist.data.dataset import Dataset
from cnn_mnist.data.raw_data import RawData
from cnn_mnist.data.verified_file import read_file
from cnn_mnist.errors import DataError, os_errors_as
from cnn_mnist.files import read_bounded, replace_with, write_synced

CLASSES_FILE: Final = "classes.txt"
_MAX_CLASSES_BYTES: Final = 1 << 18


def has_idx_files(folder: Path) -> bool:
    """Return whether a folder holds any of the four files, under any of their spellings."""
    return any(file.find_in(folder) for file in ANY_IDX)


def read_idx_folder(
    folder: Path, name: str, files: tuple[File, ...] = ANY_IDX, class_names: tuple[str, ...] = ()
) -> RawData:
    """Read the four files of a folder.

    Args:
        folder: holds them.
        name: that the data set gets.
        files: training images and labels, test images and labels.
        class_names: where the folder has none.

    Raises:
        DataError: a file is missing, damaged or not the expected one.
    """
    train_images, train_labels, test_images, test_labels = (
        read_file(file, folder) for file in files
    )
    return RawData(
        name=name,
        train=(train_images, train_labels),
        test=(test_images, test_labels),
        class_names=_read_class_names(folder) or class_names,
    )


def _read_class_names(folder: Path) -> tuple[str, ...]:
    """Return the class names of a folder; none where it has no file with them."""
    path = folder / CLASSES_FILE
    if not path.exists():
        return ()
    with os_errors_as(DataError, f"{path} cannot be read"):
        content = read_bounded(path, _MAX_CLASSES_BYTES)
    try:
        return checked_names(content.decode("utf-8-sig").splitlines())
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error


def write_idx_folder(dataset: Dataset, folder: Path) -> None:
    """Write a data set so that the folder, loaded again, has the same hash.

    Raises:
        DataError: the folder holds something else, or cannot be written.
    """
    places = dataset.validation_indices
    if places is None:  # the validation images were the first ones
        places = np.arange(len(dataset.validation))
    train = dataset.train.merged(dataset.validation, places)
    arrays = (train.images, train.labels, dataset.test.images, dataset.test.labels)

    def write(new: Path) -> None:
        new.mkdir()
        for file, values in zip(ANY_IDX, arrays, strict=True):
            idx.write(new / file.name, values)
        # the highest label may be below the last class: then the names tell how many there are
        if dataset.class_names != default_names(1 + int(train.labels.max())):
            names = "".join(f"{name}\n" for name in dataset.class_names)
            write_synced(new / CLASSES_FILE, names.encode())

    with os_errors_as(DataError, f"{folder} cannot be written"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DataError(f"{folder} holds something else already: choose another folder")
        replace_with(folder, write)
