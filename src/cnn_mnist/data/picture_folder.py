"""Read a folder of pictures by class: `DIR/7/*.jpg`, or `DIR/train/7/...` and `DIR/test/7/...`.

The names of the class folders are the class names, in the order of their numbers where all are
numbers. A picture that cannot be used is named in a warning and left out.
"""

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from cnn_mnist.data.class_names import checked_names
from cnn_mnist.data.raw_data import Images, Labels, RawData
from cnn_mnist.errors import CnnMnistWarning, DataError, ImageError
from cnn_mnist.machine import cores

_SPLITS: Final = ("train", "training"), ("test", "testing")
_SHOWN: Final = 3
"""Pictures left out that a warning names."""


@dataclass(frozen=True)
class PictureReader:
    """What turns picture files into images."""

    suffixes: tuple[str, ...]
    """Of the files that are pictures, in lower case."""
    read: Callable[[Path], Images]
    """Returns a picture as `(28, 28)`; raises `ImageError` where it cannot be used."""


def is_picture_folder(folder: Path, reader: PictureReader) -> bool:
    """Return whether a folder has folders in it, or pictures."""
    return any(path.is_dir() or _is_picture(path, reader) for path in _visible(folder))


def read_pictures(folder: Path, name: str, reader: PictureReader) -> RawData:
    """Read every picture of a folder.

    Args:
        folder: has a folder for each class, or `train` and `test` with these.
        name: that the data set gets.
        reader: reads a picture; called from several threads.

    Raises:
        DataError: there are fewer than two class folders, one of them is empty, or a class is only
            in `test`.
    """
    train, test = (_split(folder, names) for names in _SPLITS)
    if test and not train:
        raise DataError(f"{test} has no folder train beside it")
    if train:
        for other in _folders(folder):
            if other not in (train, test):
                _warn(f"{other} is not read: the splits are {train.name} and test")
    names = _class_names(train or folder, reader)
    if test:
        for of_class in _folders(test):
            if of_class.name not in names:
                raise DataError(f"{of_class}: the class is not in {train}")
    skipped: list[str] = []
    pairs = [
        _read_split(split, names, reader, skipped) for split in (train or folder, test) if split
    ]
    if skipped:
        more = f", and {len(skipped) - _SHOWN:,} more" if len(skipped) > _SHOWN else ""
        _warn(f"{folder}: {len(skipped):,} files are left out: {'; '.join(skipped[:_SHOWN])}{more}")
    return RawData(name=name, train=pairs[0], test=pairs[1] if test else None, class_names=names)


def _warn(message: str) -> None:
    warnings.warn(message, CnnMnistWarning, stacklevel=3)


def _split(folder: Path, names: Sequence[str]) -> Path | None:
    """Return the folder of a split; None where none of its names has class folders in it."""
    paths = (folder / name for name in names)
    return next((path for path in paths if path.is_dir() and _folders(path)), None)


def _class_names(folder: Path, reader: PictureReader) -> tuple[str, ...]:
    names = [path.name for path in _folders(folder)]
    if len(names) < 2:
        what = f"only one class folder, {names[0]}" if names else "no class folders"
        raise DataError(
            f"{folder} has {what}: put the pictures of each class into a folder of their own, such "
            f"as {folder / '7'}"
        )
    if all(name.isascii() and name.isdigit() for name in names):
        names.sort(key=lambda name: (int(name), name))
    try:
        return checked_names(names)
    except ValueError as error:
        raise DataError(f"{folder}: {error}") from error


def _read_split(
    folder: Path, names: tuple[str, ...], reader: PictureReader, skipped: list[str]
) -> tuple[Images, Labels]:
    """Read the pictures of a split; those left out are added to `skipped`."""
    found = [
        (path, label)
        for label, name in enumerate(names)
        if (folder / name).is_dir()
        for path in _pictures(folder / name, reader, skipped)
    ]
    images, labels = [], []
    reasons: dict[int, str] = {}
    results = _read_all([path for path, _ in found], reader)
    for (_, label), image in zip(found, results, strict=True):
        if isinstance(image, ImageError):
            reasons.setdefault(label, str(image))
            skipped.append(str(image))
        else:
            images.append(image)
            labels.append(label)
    for label in sorted(reasons.keys() - set(labels)):
        raise DataError(
            f"{folder / names[label]} has no picture that can be used: {reasons[label]}"
        )
    return np.stack(images), np.array(labels, np.uint8)


def _pictures(folder: Path, reader: PictureReader, skipped: list[str]) -> list[Path]:
    """Return the pictures of a class, sorted; other files are added to `skipped`."""
    below = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    visible = [
        path
        for path in below
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    pictures = [path for path in visible if _is_picture(path, reader)]
    if not pictures:
        raise DataError(
            f"{folder} holds no picture: put some there ({' '.join(reader.suffixes)}), or remove "
            "the folder"
        )
    skipped += [f"{path} is not a picture" for path in visible if not _is_picture(path, reader)]
    return pictures


def _read_all(paths: list[Path], reader: PictureReader) -> Iterator[Images | ImageError]:
    """Read pictures in several threads; yield in their order each image or why there is none."""

    def read(path: Path) -> Images | ImageError:
        try:
            return reader.read(path)
        except ImageError as error:
            return error

    # decoders silence Pillow's warnings, and in threads can leave ours silenced, too: put back here
    with warnings.catch_warnings():
        pool = ThreadPoolExecutor(cores())
        try:
            yield from _with_progress(pool.map(read, paths), len(paths))
        finally:  # where it is interrupted, the pictures that wait are not read any more
            pool.shutdown(cancel_futures=True)


def _with_progress(
    images: Iterator[Images | ImageError], count: int
) -> Iterator[Images | ImageError]:
    """Yield the images, with a progress bar if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield from images
        return
    from rich.console import Console
    from rich.progress import track

    bar = track(images, "reading pictures", count, console=Console(stderr=True), transient=True)
    yield from bar


def _folders(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if path.is_dir()]


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _is_picture(path: Path, reader: PictureReader) -> bool:
    return path.suffix.lower() in reader.suffixes and path.is_file()
