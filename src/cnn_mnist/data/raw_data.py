"""Hold what a source brings, images of any size and labels, and make a data set of it."""

import warnings
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from cnn_mnist.data import idx
from cnn_mnist.data.catalog import MNIST
from cnn_mnist.data.dataset import IMAGE_SIZE, Dataset
from cnn_mnist.data.mnist_form import fit, is_on_light_paper, to_mnist_form
from cnn_mnist.data.split import stratified
from cnn_mnist.errors import CnnMnistWarning, DataError

Images: TypeAlias = npt.NDArray[np.uint8]
Labels: TypeAlias = npt.NDArray[np.uint8]

TEST_SHARE: Final = 6
"""One in this many images becomes the test split of a source that has none: as in MNIST."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RawData:
    """What a source brings.

    Raises:
        DataError: a split has no image, or not one label for each image.
    """

    name: str
    train: tuple[Images, Labels]
    """Images `(N, height, width)` and labels `(N,)`."""
    test: tuple[Images, Labels] | None = None
    """None where the source has no test images."""
    class_names: tuple[str, ...] = ()
    """Where none are given, `0`, `1` and so on."""

    def __post_init__(self) -> None:
        for images, labels in (self.train, self.test or self.train):
            if images.ndim != 3 or labels.shape != images.shape[:1]:
                raise DataError(f"{len(images)} images have {labels.shape} labels")
            if not images.size:
                raise DataError("a split needs at least one image")

    def to_dataset(self, *, as_is: bool) -> Dataset:
        """Return it as a data set of 28x28 images of light ink on dark paper.

        Args:
            as_is: resize the images only; ink and paper stay.

        Raises:
            DataError: see `Dataset.from_arrays`.
        """
        train, test = self.train, self.test
        if test is None:
            kept, taken = stratified(train[1], TEST_SHARE)
            if not len(taken):
                raise DataError("no two images are of one class: one of them would be for the test")
            test = train[0][taken], train[1][taken]
            train = train[0][kept], train[1][kept]
        inverted = not as_is and is_on_light_paper(train[0])
        if inverted:
            _warn(
                f"{self.name}: dark ink on light paper is inverted, as MNIST is light on dark; "
                "--as-is keeps it"
            )
        sizes = {images.shape[1:] for images, _ in (train, test)} - {(IMAGE_SIZE, IMAGE_SIZE)}
        for height, width in sorted(sizes):
            form = "resized" if as_is else "brought into MNIST's form, --as-is resizes them only"
            _warn(f"{self.name}: images of {height}x{width} pixels, not 28x28, are {form}")
        return Dataset.from_arrays(
            self.name,
            (_to_28x28(train[0], inverted=inverted, as_is=as_is), train[1]),
            (_to_28x28(test[0], inverted=inverted, as_is=as_is), test[1]),
            class_names=self.class_names,
            first=_is_mnist(*train),
        )


def _warn(message: str) -> None:
    warnings.warn(message, CnnMnistWarning, stacklevel=4)


def _to_28x28(images: Images, *, inverted: bool, as_is: bool) -> Images:
    if inverted:
        images = 255 - images
    if images.shape[1:] == (IMAGE_SIZE, IMAGE_SIZE):
        return images
    change = fit if as_is else to_mnist_form
    return np.stack([change(image) for image in images])


def _is_mnist(images: Images, labels: Labels) -> bool:
    """Return whether these are MNIST's training images, whatever file they come from.

    Its validation images are then the tutorial's, so that it has the same hash everywhere.
    """
    return (
        len(labels) == 60_000
        and idx.content_sha256(labels) == MNIST.files[1].sha256
        and idx.content_sha256(images) == MNIST.files[0].sha256
    )


def as_images(array: npt.NDArray[Any], where: str) -> Images:
    """Return grey images in any usual form as `(N, height, width) uint8`.

    Args:
        array: `(N, height, width)` or `(N, height, width, 1)`: whole numbers in 0..255 or floats in
            [0, 1].
        where: they are, for messages.

    Raises:
        DataError: they have another shape, type or range.
    """
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 3:
        raise DataError(f"{where} has shape {array.shape}: expected grey images (N, height, width)")
    if array.dtype == np.uint8 or not array.size:
        return np.asarray(array, np.uint8)
    least, most = array.min(), array.max()
    if np.issubdtype(array.dtype, np.floating):
        if not (least >= 0 and most <= 1):  # written so that NaN fails too
            raise DataError(
                f"{where} has floats from {least} to {most}: expected whole numbers from 0 to 255, "
                "or floats in [0, 1]"
            )
        return np.asarray(np.rint(array * 255), np.uint8)
    return _whole(array, where, "grey levels")


def as_labels(array: npt.NDArray[Any], where: str) -> Labels:
    """Return labels, whole numbers in 0..255, as `(N,) uint8`.

    Args:
        array: `(N,)` or `(N, 1)`.
        where: they are, for messages.

    Raises:
        DataError: they have another shape, type or range.
    """
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(f"{where} has shape {array.shape}: expected a class number for each image")
    return _whole(array, where, "labels")


def _whole(array: npt.NDArray[Any], where: str, what: str) -> npt.NDArray[np.uint8]:
    if not (np.issubdtype(array.dtype, np.integer) or array.dtype == np.bool_):
        raise DataError(f"{where} is of {array.dtype}: expected {what} as whole numbers")
    if array.size and not (array.min() >= 0 and array.max() <= 255):
        raise DataError(
            f"{where} has {what} from {array.min()} to {array.max()}: expected 0 to 255"
        )
    return np.asarray(array, np.uint8)
