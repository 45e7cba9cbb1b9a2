"""Load data sets, with folders of pictures read as carefully as `predict` reads a picture."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnn_mnist.data.dataset import Dataset
from cnn_mnist.data.load import load as load_data
from cnn_mnist.data.mnist_form import fit
from cnn_mnist.data.picture_folder import PictureReader
from cnn_mnist.errors import ImageError
from cnn_mnist.inference.model import BUNDLED, Model
from cnn_mnist.reading.decode import IMAGE_SUFFIXES, decode

if TYPE_CHECKING:
    from cnn_mnist.reading.finder import Finder


def load(name: str = "auto", data_dir: Path | None = None, *, as_is: bool = False) -> Dataset:
    """Load a data set.

    Args:
        name: a name (`mnist`, `digits`, `qmnist`, `fashion-mnist`, `kmnist`, or `auto`: MNIST where
            it is available, else the digits, with a warning); or the path of a folder of pictures
            by class, a folder with four IDX files, `train.csv`, `mnist.npz`, or a folder of EMNIST,
            of which `DIR:letters` names one set.
        data_dir: where a data set with a name is looked for first, as `data_dir/NAME/`.
        as_is: pictures and images of another size than 28x28 are resized only, for what are not
            digits. Otherwise the digit of each is found and brought into MNIST's form.

    Raises:
        DataError: there is no such name, file or folder; or a file is missing, damaged or of the
            wrong form.
        DownloadError: it has a name, is not on this machine, and no mirror delivered it.
        MissingExtraError: a library that the data set needs is not installed.
    """
    return load_data(name, data_dir, as_is=as_is, reader=picture_reader(as_is=as_is))


def picture_reader(*, as_is: bool) -> PictureReader:
    """Return what reads training pictures: the one digit of each, or the whole picture as it is."""
    return PictureReader(IMAGE_SUFFIXES, read_whole if as_is else read_digit)


def read_whole(path: Path) -> npt.NDArray[np.uint8]:
    """Return a whole picture in grey, `(28, 28)`: resized, its aspect kept.

    Raises:
        ImageError: it cannot be decoded.
    """
    return fit(np.asarray(Image.fromarray(decode(path).pixels).convert("L")))


def read_digit(path: Path) -> npt.NDArray[np.uint8]:
    """Return the one digit of a picture, `(28, 28)` in MNIST's form.

    A candidate that does not look like a digit counts where it is the only one: a person has said
    that it is one.

    Raises:
        ImageError: the picture cannot be decoded, or has no digit or several.
    """
    from cnn_mnist.reading.reader import read  # imported here: other data sets need no OpenCV

    model, finder = _open()
    digits = read(decode(path), model, finder=finder).digits
    found = [digit for digit in digits if digit.class_ is not None] or digits
    if len(found) != 1:
        what = f"{len(found)} digits were found" if found else "no digit was found"
        raise ImageError(f"{path}: {what}")
    return np.asarray(np.rint(found[0].image * 255), np.uint8)


@cache
def _open() -> tuple[Model, "Finder"]:
    """Open the bundled model and the finder for one thread each: several pictures are read."""
    from cnn_mnist.reading.finder import Finder

    return Model(BUNDLED, threads=1), Finder()
