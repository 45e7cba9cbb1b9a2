"""Load a data set by its name, or from a file or folder of the user's.

A data set with a name is searched in `--data-dir`, `$CNN_MNIST_DATA` and the user's cache, and then
downloaded into the cache. The first place that holds any of its files is used: a damaged or missing
file there is an error, and the search does not silently go on.
"""

import os
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from cnn_mnist.data import digits
from cnn_mnist.data.catalog import DIGITS, MNIST, SOURCES, Source
from cnn_mnist.data.dataset import Dataset
from cnn_mnist.data.fetch import cache_directory, fetch
from cnn_mnist.data.idx_folder import read_idx_folder
from cnn_mnist.data.layouts import FORMS, parse, read_source
from cnn_mnist.data.origin import Origin
from cnn_mnist.data.picture_folder import PictureReader
from cnn_mnist.errors import CnnMnistWarning, DataError, DownloadError, os_errors_as

_DATA_VARIABLE: Final = "CNN_MNIST_DATA"


def load(
    name: str = "auto",
    data_dir: Path | None = None,
    *,
    as_is: bool = False,
    reader: PictureReader | None = None,
) -> Dataset:
    """Load a data set; `cnn_mnist.load` does it with a reader of pictures.

    Args:
        name: a name of the catalogue (`mnist`, `digits`, `qmnist`, `fashion-mnist`, `kmnist`);
            `auto` (MNIST where it is available, else the digits, with a `CnnMnistWarning`); or the
            path of a file or folder, see `read_source`, which gives the data set its name.
        data_dir: where a data set with a name is looked for first, as `data_dir/NAME/`.
        as_is: images are resized only, see `RawData.to_dataset`.
        reader: reads the pictures of a folder; without one, such a folder is refused.

    Raises:
        DataError: there is no such name, file or folder; or a file is missing, damaged or of the
            wrong form.
        DownloadError: it has a name, is not on this machine, and no mirror delivered it.
        MissingExtraError: a library that the data set needs is not installed.
    """
    if name == DIGITS.name:
        return digits.load()
    if name in SOURCES:
        return _load_named(SOURCES[name], data_dir)
    if name == "auto":
        try:
            return _load_named(SOURCES[MNIST.name], data_dir)
        except DownloadError as error:
            warnings.warn(
                f"MNIST is not available, scikit-learn's digits are used instead: {error}",
                CnnMnistWarning,
                stacklevel=2,
            )
            return digits.load()
    return _load_path(name, as_is=as_is, reader=reader)


def _load_path(name: str, *, as_is: bool, reader: PictureReader | None) -> Dataset:
    """Load a file or folder; an error names it, or the file in it."""
    path, emnist = parse(name)
    with os_errors_as(DataError, f"{path} cannot be read"):
        if not path.exists():
            raise DataError(
                f"unknown data set, file or folder {name!r}: expected {', '.join(SOURCES)}, auto, "
                f"{FORMS}"
            )
        try:
            dataset = read_source(path, emnist, reader).to_dataset(as_is=as_is)
        except DataError as error:
            if str(error).startswith(str(path)):
                raise
            raise DataError(f"{path}: {error}") from error
    return replace(dataset, origin=Origin.of(name, as_is=as_is))


def _load_named(source: Source, data_dir: Path | None) -> Dataset:
    folder = find(source, data_dir)
    if folder is None:
        folder = fetch(source, cache_directory())
    try:
        return _read(source, folder)
    except DataError:
        if folder.parent not in _cache():
            raise
        # the cache is this program's own: missing and damaged files there are fetched again
        return _read(source, fetch(source, folder.parent))


def _read(source: Source, folder: Path) -> Dataset:
    raw = read_idx_folder(folder, source.name, source.files, source.class_names)
    return raw.to_dataset(as_is=True)


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
    for folder in (folder for place in places for folder in source.folders_in(place)):
        with os_errors_as(DataError, f"{folder} cannot be read"):
            if any(file.find_in(folder) for file in source.files):
                return folder
    return None
