"""Hold a data set in memory: three splits of 28x28 images and their labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

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


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training, validation and test images under one name."""

    name: str
    train: Split
    validation: Split
    test: Split

    @classmethod
    def from_arrays(
        cls,
        name: str,
        train: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]],
        test: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]],
    ) -> "Dataset":
        """Build a data set; the FIRST twelfth of the training images becomes the validation split.

        Args:
            name: the name that results report.
            train: images `(N, 28, 28)` and labels `(N,)`, both uint8, N at least 12.
            test: the same for the test split.

        Raises:
            DataError: there are fewer than 12 training images, or see `Split`.
        """
        whole = Split(*train)
        cut = len(whole) // VALIDATION_SHARE
        if cut == 0:
            raise DataError(
                f"{name} has {len(whole)} training images: at least {VALIDATION_SHARE} are needed"
            )
        return cls(
            name=name,
            train=Split(whole.images[cut:], whole.labels[cut:]),
            validation=Split(whole.images[:cut], whole.labels[:cut]),
            test=Split(*test),
        )

    @property
    def splits(self) -> Mapping[str, Split]:
        """The splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @cached_property
    def classes(self) -> int:
        """The number of classes: one more than the highest label of any split."""
        return 1 + max(int(split.labels.max()) for split in self.splits.values())

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of every image and label, in the order of the splits."""
        import hashlib  # imported here: `predict` needs only the image size, and starts sooner

        digest = hashlib.sha256()
        for name, split in self.splits.items():
            digest.update(f"{name}:{len(split)}:".encode())
            digest.update(np.ascontiguousarray(split.images).data)
            digest.update(np.ascontiguousarray(split.labels).data)
        return digest.hexdigest()
