"""Load the handwritten digits that scikit-learn ships, in MNIST's 28x28 form.

1,797 digits by 13 writers, 8x8 with values 0..16: the test set of "Optical Recognition of
Handwritten Digits" (Alpaydin and Kaynak, UCI Machine Learning Repository, 1998). They replace MNIST
where it is not available. The last 297, by other writers than most of the first 1,500, are the test
split.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnn_mnist.data.dataset import CENTRE, DIGIT_SIZE, IMAGE_SIZE, Dataset
from cnn_mnist.errors import needs_extra

_TRAINING_IMAGES: Final = 1500


def load() -> Dataset:
    """Load the digits.

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
        (images[:_TRAINING_IMAGES], labels[:_TRAINING_IMAGES]),
        (images[_TRAINING_IMAGES:], labels[_TRAINING_IMAGES:]),
    )


def _enlarge(image: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Enlarge an image `(8, 8)` in 0..16 to `(28, 28)` in 0..255, centred by mass as in MNIST."""
    small = Image.fromarray(np.uint8(np.round(image * (255 / 16))))
    large = np.asarray(small.resize((DIGIT_SIZE, DIGIT_SIZE), Image.Resampling.BICUBIC))
    canvas = np.pad(large, (IMAGE_SIZE - DIGIT_SIZE) // 2)
    offsets = np.arange(IMAGE_SIZE) + 0.5 - CENTRE
    rows, columns = canvas.sum(axis=1), canvas.sum(axis=0)
    shift = -np.round([offsets @ rows / rows.sum(), offsets @ columns / columns.sum()])
    # the margin is 4 pixels and no digit is shifted further: nothing wraps around
    return np.roll(canvas, shift.astype(int), axis=(0, 1))
