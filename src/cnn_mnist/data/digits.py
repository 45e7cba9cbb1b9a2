"""The handwritten digits that scikit-learn ships, brought to MNIST's 28x28 form.

1,797 digits by 13 writers, 8x8 with values 0..16: the test set of "Optical Recognition of
Handwritten Digits" (Alpaydin and Kaynak, UCI Machine Learning Repository, 1998). They stand in
where MNIST cannot be had. The last 297, by other writers than most of the first 1,500, are the
test split.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnn_mnist.data.dataset import IMAGE_SIZE, Dataset
from cnn_mnist.errors import needs_extra

TRAINING_IMAGES: Final = 1500
_BOX: Final = 20  # MNIST's digits fill a 20x20 box


def load() -> Dataset:
    """Read the digits.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    with needs_extra("train", "the data set digits"):
        from sklearn.datasets import load_digits
    bunch = load_digits()
    images = np.stack([_enlarge(image) for image in bunch.images])
    labels = bunch.target.astype(np.uint8)
    return Dataset.from_arrays(
        "digits",
        (images[:TRAINING_IMAGES], labels[:TRAINING_IMAGES]),
        (images[TRAINING_IMAGES:], labels[TRAINING_IMAGES:]),
    )


def _enlarge(image: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """8x8 in 0..16 to 28x28 in 0..255, its centre of mass in pixel 14 of both axes, as in MNIST."""
    small = Image.fromarray(np.uint8(np.round(image * (255 / 16))))
    large = np.asarray(small.resize((_BOX, _BOX), Image.Resampling.BICUBIC))
    canvas = np.pad(large, (IMAGE_SIZE - _BOX) // 2)
    places = np.arange(IMAGE_SIZE) - IMAGE_SIZE // 2
    rows, columns = canvas.sum(axis=1), canvas.sum(axis=0)
    shift = -np.round([places @ rows / rows.sum(), places @ columns / columns.sum()])
    # the margin is 4 pixels and no digit is further off its middle: nothing wraps around
    return np.roll(canvas, shift.astype(int), axis=(0, 1))
