"""Read a data set from a path of the user's: tell which form it has, and read that.

Known are: a CSV file, an NPZ file, and a folder with four IDX files (also as Kaggle and torchvision
lay them), with one or more sets of EMNIST, with the files of QMNIST, with a CSV file, or with
pictures by class.
"""

from pathlib import Path
from typing import Final

from cnn_mnist.data.catalog import QMNIST, SOURCES
from cnn_mnist.data.csv_file import has_labels, read_csv
from cnn_mnist.data.emnist import CLASSES, read_emnist, sets_in
from cnn_mnist.data.idx_folder import has_idx_files, read_idx_folder
from cnn_mnist.data.npz import read_npz
from cnn_mnist.data.picture_folder import PictureReader, is_picture_folder, read_pictures
from cnn_mnist.data.raw_data import RawData
from cnn_mnist.errors import DataError

FORMS: Final = (
    "a folder of pictures by class (DIR/7/*.png), a folder with four IDX files, train.csv or "
    "mnist.npz"
)
_RAW: Final = ("raw", "gzip")
"""Folders below the one that is named: torchvision's, and that of EMNIST's archive."""
_EMNIST_SUFFIX: Final = tuple(f":{name}" for name in CLASSES)


def read_source(path: Path, emnist: str | None, reader: PictureReader | None) -> RawData:
    """Read a file or folder.

    Args:
        path: its path.
        emnist: which set of EMNIST to read of a folder; see `parse`.
        reader: reads the pictures of a folder; without one, such a folder is of no known form.

    Raises:
        DataError: it is of no known form; or a part is missing, damaged or of the wrong form.
    """
    if emnist:
        return read_emnist(path if sets_in(path) else _inner_folder(path) or path, emnist)
    if path.is_dir():
        return _read_folder(path, reader)
    if path.suffix.lower() == ".npz":
        return read_npz(path)
    if path.suffix.lower() == ".csv":
        return RawData(name=path.name, train=read_csv(path))
    raise DataError(f"{path} is not a data set: expected {FORMS}")


def parse(name: str) -> tuple[Path, str | None]:
    """Return the path that a user names, and which set of EMNIST, as in `DIR:letters`."""
    if name.endswith(_EMNIST_SUFFIX) and not Path(name).exists():
        path, _, emnist = name.rpartition(":")
        return Path(path), emnist
    return Path(name), None


def _read_folder(folder: Path, reader: PictureReader | None) -> RawData:
    name = folder_name(folder)
    if has_idx_files(folder):
        return read_idx_folder(folder, name, class_names=_torchvision_names(folder))
    if sets := sets_in(folder):
        if len(sets) > 1:
            raise DataError(
                f"{folder} holds several sets of EMNIST: choose one of "
                f"{', '.join(f'{folder}:{set_}' for set_ in sets)}"
            )
        return read_emnist(folder, sets[0])
    if any(file.find_in(folder) for file in QMNIST.files):
        return read_idx_folder(folder, name, QMNIST.files)
    if inner := _inner_folder(folder):
        return _read_folder(inner, reader)
    if csv := _csv_files(folder):
        train, *tests = (read_csv(path) for path in csv)
        return RawData(name=name, train=train, test=tests[0] if tests else None)
    if reader and is_picture_folder(folder, reader):
        return read_pictures(folder, name, reader)
    raise DataError(f"{folder} is not a data set: expected {FORMS}")


def folder_name(folder: Path) -> str:
    """Return the name of a data set in a folder; never that of another one of the catalogue."""
    folder = folder.resolve()
    name = folder.parent.name if folder.name in _RAW else folder.name
    return f"{name}-folder" if name.lower() in {*SOURCES, "auto"} else name


def _torchvision_names(folder: Path) -> tuple[str, ...]:
    """Return the class names of a folder such as `FashionMNIST/raw`."""
    folder = folder.resolve()
    for source in SOURCES.values():
        if (source.torchvision, "raw") == (folder.parent.name, folder.name):
            return source.class_names
    return ()


def _inner_folder(folder: Path) -> Path | None:
    """Return the folder below one that holds the files, as torchvision and EMNIST lay them."""
    below = [folder / raw for raw in _RAW]
    below += [folder / source.torchvision / "raw" for source in SOURCES.values()
              if source.torchvision] + [folder / "EMNIST" / "raw"]  # fmt: skip
    found = [path for path in below if path.is_dir() and _holds_files(path)]
    if len(found) > 1:
        raise DataError(
            f"{folder} holds several data sets: choose one of {', '.join(map(str, found))}"
        )
    return found[0] if found else None


def _holds_files(folder: Path) -> bool:
    return (
        has_idx_files(folder)
        or bool(sets_in(folder))
        or any(file.find_in(folder) for file in QMNIST.files)
    )


def _csv_files(folder: Path) -> list[Path]:
    """Return the file of training images and, where it has labels, that of test images."""
    found = []
    for end in ("train.csv", "test.csv"):
        paths = sorted(folder.glob(f"*{end}"))
        if len(paths) > 1:
            raise DataError(f"{folder} holds {paths[0].name} and {paths[1].name}: name one of them")
        found += paths
    if found and not found[0].name.endswith("train.csv"):
        return []
    return found[:1] + [path for path in found[1:] if has_labels(path)]
