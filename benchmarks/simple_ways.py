"""Read a picture of one digit in two simpler ways, to compare with.

The naive one: grey, inverted if bright, resized to 28x28. And MNIST's normalisation alone:
thresholded, fitted to a box of 20x20, centred.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnn_mnist.data.mnist_form import centre_by_mass, rescale
from cnn_mnist.reading.decode import decode


def naive_way(path: Path) -> npt.NDArray[np.float32]:
    """Return the image in grey, inverted if bright, resized to `(28, 28)`, in [0, 1]."""
    grey = _grey(path)
    small = np.asarray(
        Image.fromarray(grey).resize((28, 28), Image.Resampling.BILINEAR), np.float32
    )
    return (255 - small if grey.mean() > 127 else small) / np.float32(255)


def box_way(path: Path) -> npt.NDArray[np.float32]:
    """Return the ink above half of its range, fitted to 20x20, centred by mass in `(28, 28)`."""
    grey = _grey(path).astype(np.float32)
    ink = 255 - grey if grey.mean() > 127 else grey
    ink = (ink - ink.min()) / max(np.ptp(ink), 1)
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis=axis)) for axis in (1, 0))
    box = np.where(ink > 0.5, ink, 0)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return centre_by_mass(rescale(box, 20 / max(box.shape)))


def _grey(path: Path) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.fromarray(decode(path).pixels).convert("L"))
