"""Hold a data set in memory: three splits of 28x28 images and their labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.data.batch_order import BatchOrder
from cnn_mnist.data.class_names import are_numbers, checked_names, default_names
from cnn_mnist.data.origin import Origin
from cnn_mnist.data.split import stratified
from cnn_mnist.errors import DataError

IMAGE_SIZE: Final = 28
"""Height and width of an image, in pixels."""
DIGIT_SIZE: Final = 20
"""The longer side of a digit's bounding box in MNIST, in pixels."""
CENTRE: Final = IMAGE_SIZE / 2 + 0.5
"""Where a digit's centre of mass lies in MNIST on both axes, in pixels from the upper left corner:
in the middle of pixel 14, half a pixel off the middle of the image. All 70,000 lie within half a
pixel of it (two of them barely not)."""
VALIDATION_SHARE: Final = 12
"""One in this many training images goes to the validation split: 5,000 of MNIST's 60,000."""


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their labels.

    Raises:
        DataError: the arrays are empty, not 28x28, not uint8, or of different lengths.
    """

    images: npt.NDArray[np.uint8]
    """`(N, 28, 28)`, 0 is paper and 255 is ink."""

    labels: npt.NDArray[np.uint8]
    """`(N,)`."""

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.labels.dtype != np.uint8:
            raise DataError(
                f"images and labels must be uint8, not {self.images.dtype} and {self.labels.dtype}"
            )
        if self.images.ndim != 3 or self.images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
            raise DataError(
                f"images have shape {self.images.shape}, expected (N, {IMAGE_SIZE}, {IMAGE_SIZE})"
            )
        if self.labels.shape != self.images.shape[:1]:
            raise DataError(f"{len(self.images)} images have {self.labels.shape} labels")
        if not len(self.images):
            raise DataError("a split needs at least one image")

    def __len__(self) -> int:
        return len(self.images)

    def take(self, which: slice | npt.NDArray[np.int64]) -> "Split":
        """Return some of the images, with their labels."""
        return Split(self.images[which], self.labels[which])

    def batches(
        self, batch_size: int, *, shuffle: bool = True, num_epochs: int | None = None, seed: int = 0
    ) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]]:
        """Yield minibatches for a training loop of your own.

        With `shuffle`, they hold the images that `Classifier.train` takes with the same seed.

        Args:
            batch_size: images in a batch; the last one of `num_epochs` may be smaller.
            shuffle: whether each epoch has an order of its own, or all that of the split.
            num_epochs: how often each image comes; None repeats for ever.
            seed: decides the orders.

        Returns:
            An iterator over images `(B, 1, 28, 28) float32 in [0, 1]` and labels `(B,) int64`.

        Raises:
            ValueError: an argument is below 1 (the seed: below 0).
        """
        order = BatchOrder(len(self), batch_size, seed=seed, num_epochs=num_epochs, shuffle=shuffle)
        return (
            (self.images[which, np.newaxis] / np.float32(255), self.labels[which].astype(np.int64))
            for which in order
        )

    def merged(self, other: "Split", places: npt.NDArray[np.int64]) -> "Split":
        """Return these images with those of another split among them.

        Args:
            other: `M` images.
            places: `(M,)`, ascending: where they are among all `N + M`.
        """
        images = np.empty((len(self) + len(other), IMAGE_SIZE, IMAGE_SIZE), np.uint8)
        labels = np.empty(len(images), np.uint8)
        rest = np.delete(np.arange(len(images)), places)
        images[places], images[rest] = other.images, self.images
        labels[places], labels[rest] = other.labels, self.labels
        return Split(images, labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training, validation and test images under one name.

    Raises:
        DataError: a label is beyond the class names, or these cannot be used, see `checked_names`.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...] = ()
    """The name of each class; where none are given, `0`, `1` and so on to the highest label."""
    validation_indices: npt.NDArray[np.int64] | None = field(default=None, repr=False)
    """Where the validation images were among all training images, ascending; None where they are
    not at random places, see `from_arrays`."""
    origin: Origin | None = None
    """Where it was read; None where it has a name of the catalogue, or was made in Python."""

    def __post_init__(self) -> None:
        classes = 1 + max(int(split.labels.max()) for split in self.splits.values())
        try:
            names = checked_names(self.class_names or default_names(classes))
        except ValueError as error:
            raise DataError(f"{self.name}: {error}") from error
        if len(names) < classes:
            raise DataError(
                f"{self.name} has {len(names)} class names, but a label {classes - 1}: give a name "
                f"for each of the {classes} classes"
            )
        object.__setattr__(self, "class_names", names)

    @classmethod
    def from_arrays(
        cls,
        name: str,
        train: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]],
        test: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]],
        *,
        class_names: Sequence[str] | None = None,
        first: bool = False,
    ) -> "Dataset":
        """Build a data set; a twelfth of the training images becomes the validation split.

        Args:
            name: the name that results report.
            train: images `(N, 28, 28)` and labels `(N,)`, both uint8, N at least 12.
            test: the same for the test split.
            class_names: the name of each class; None takes the numbers.
            first: whether the FIRST twelfth is taken, as the tutorial does with MNIST; else it is
                chosen at random, always the same, from every class: see `stratified`.

        Raises:
            DataError: there are fewer than 12 training images, or no two of one class; or see
                `Split` and `Dataset`.
        """
        whole = Split(*train)
        if len(whole) < VALIDATION_SHARE:
            raise DataError(
                f"{name} has {len(whole)} training images: at least {VALIDATION_SHARE} are needed"
            )
        names = tuple(class_names or ())
        if first:
            cut = len(whole) // VALIDATION_SHARE
            return cls(
                name, whole.take(slice(cut, None)), whole.take(slice(cut)), Split(*test), names
            )
        kept, taken = stratified(whole.labels, VALIDATION_SHARE)
        if not len(taken):
            raise DataError(
                f"{name} has no two training images of one class: one of them would be for "
                "training, one for validation"
            )
        return cls(name, whole.take(kept), whole.take(taken), Split(*test), names, taken)

    @property
    def splits(self) -> Mapping[str, Split]:
        """The splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of every image and label, in the order of the splits, and of class names."""
        import hashlib  # imported here: `predict` needs only the image size, and starts sooner

        digest = hashlib.sha256()
        for name, split in self.splits.items():
            digest.update(f"{name}:{len(split)}:".encode())
            digest.update(np.ascontiguousarray(split.images).data)
            digest.update(np.ascontiguousarray(split.labels).data)
        if not are_numbers(self.class_names):
            digest.update(repr(self.class_names).encode())
        return digest.hexdigest()

    def numbered_as(self, class_names: tuple[str, ...]) -> "Dataset":
        """Return this data set with the classes of a network, found by their names.

        Where its own classes have no names but numbers that the network does not have, the numbers
        are taken for the network's.

        Args:
            class_names: the network's.

        Raises:
            DataError: the network has no class of that name, or fewer classes.
        """
        if class_names == self.class_names:
            return self
        missing = [name for name in self.class_names if name not in class_names]
        if missing and are_numbers(self.class_names):
            if self.classes > len(class_names):
                raise DataError(
                    f"{self.name} has {self.classes} classes, the network {len(class_names)}"
                )
            return replace(self, class_names=class_names)
        if missing:
            raise DataError(
                f"{self.name} has a class {missing[0]!r} that the network was not trained on: its "
                f"classes are {', '.join(class_names):.200}"
            )
        number = np.array([class_names.index(name) for name in self.class_names], np.uint8)
        train, validation, test = (
            Split(split.images, number[split.labels]) for split in self.splits.values()
        )
        return replace(self, train=train, validation=validation, test=test, class_names=class_names)

    def split_as(self, sha256: str | None) -> "Dataset":
        """Return this data set in the split in which it has a hash.

        Version 0.1 took the first twelfth of any data set for validation. Its runs go on with that
        split, which their hash tells.

        Args:
            sha256: of the data set that a network was trained on; None where it is not known.

        Returns:
            The data set in the split of version 0.1 where that has this hash, else itself.
        """
        if self.validation_indices is None or sha256 in (None, self.sha256):
            return self
        whole = self.train.merged(self.validation, self.validation_indices)
        test = self.test.images, self.test.labels
        old = Dataset.from_arrays(
            self.name,
            (whole.images, whole.labels),
            test,
            class_names=self.class_names,
            first=True,
        )
        return replace(old, origin=self.origin) if old.sha256 == sha256 else self
