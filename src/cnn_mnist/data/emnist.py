"""Read EMNIST under its own file names: `emnist-letters-train-images-idx3-ubyte.gz` and so on.

Its images lie on their sides, mirrored: they are turned upright. Source: Cohen, Afshar, Tapson and
van Schaik, "EMNIST: an extension of MNIST to handwritten letters", 2017.
"""

import re
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Final

import numpy as np

from cnn_mnist.data.catalog import File
from cnn_mnist.data.raw_data import Images, Labels, RawData
from cnn_mnist.data.verified_file import read_file
from cnn_mnist.errors import DataError

_NAME: Final = re.compile(
    r"emnist-([a-z]+)-(?:train|test)-(?:images|labels)[-.]idx\d-ubyte(?:\.gz)?"
)
_MERGED: Final = digits + ascii_uppercase + "abdefghnqrt"
"""Classes of the sets in which lower-case letters that look like capitals count as these."""
CLASSES: Final = {
    "balanced": _MERGED,
    "byclass": digits + ascii_uppercase + ascii_lowercase,
    "bymerge": _MERGED,
    "digits": digits,
    "letters": ascii_lowercase,
    "mnist": digits,
}
"""The classes of each set, a character each, as its mapping file has them."""
_FIRST_LABEL: Final = {"letters": 1}


def sets_in(folder: Path) -> list[str]:
    """Return the sets of EMNIST that a folder holds, sorted."""
    found = (_NAME.fullmatch(path.name) for path in folder.iterdir())
    return sorted({match[1] for match in found if match and match[1] in CLASSES})


def read_emnist(folder: Path, name: str) -> RawData:
    """Read one of the sets.

    Args:
        folder: holds its four files.
        name: `letters`, `digits` and so on, see `CLASSES`.

    Raises:
        DataError: a file is missing or damaged, or a label has no class.
    """
    (train, test) = (_read_split(folder, name, split) for split in ("train", "test"))
    return RawData(name=f"emnist-{name}", train=train, test=test, class_names=tuple(CLASSES[name]))


def _read_split(folder: Path, name: str, split: str) -> tuple[Images, Labels]:
    stem = f"emnist-{name}-{split}"
    images = read_file(File(name=f"{stem}-images-idx3-ubyte", dimensions=3), folder)
    labels = read_file(File(name=f"{stem}-labels-idx1-ubyte", dimensions=1), folder)
    first, last = _FIRST_LABEL.get(name, 0), _FIRST_LABEL.get(name, 0) + len(CLASSES[name]) - 1
    if labels.size and not (labels.min() >= first and labels.max() <= last):
        raise DataError(
            f"{stem}-labels-idx1-ubyte has labels from {labels.min()} to {labels.max()}: expected "
            f"{first} to {last}"
        )
    upright = np.ascontiguousarray(images.transpose(0, 2, 1))
    return upright, np.asarray(labels - first, np.uint8)
