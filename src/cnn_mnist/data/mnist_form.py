"""Bring grey images of any size to 28x28: into MNIST's form, or just resized.

MNIST's form: light ink on black, the digit's bounding box scaled to 20x20 with its aspect kept and
anti-aliased, then placed in 28x28 with its centre of mass in the middle. Source: the description on
the first home page of MNIST, http://yann.lecun.com/exdb/mnist/.
"""

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnn_mnist.data.dataset import CENTRE, DIGIT_SIZE, IMAGE_SIZE

Ink: TypeAlias = npt.NDArray[np.float32]
"""`(height, width)`: 0 on paper, 1 in full ink."""
Grey: TypeAlias = npt.NDArray[np.uint8]
"""`(height, width)`."""

_FAINT: Final = 0.1  # of the strongest ink: fainter pixels do not widen the bounding box
_LIGHT: Final = 127  # grey level: brighter pixels are light


def rescale(ink: Ink, scale: float) -> Ink:
    """Scale ink up or down, anti-aliased, values in [0, 1]."""
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    filter_ = Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.BOX
    scaled: Ink = np.clip(np.asarray(Image.fromarray(ink).resize((width, height), filter_)), 0, 1)
    return scaled


def crop_to_ink(ink: Ink, faint: float = 0.0) -> Ink:
    """Remove the rows and columns without ink stronger than `faint` at all four sides."""
    written = ink > faint
    rows, columns = np.flatnonzero(written.any(axis=1)), np.flatnonzero(written.any(axis=0))
    cropped: Ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cropped


def centre_by_mass(ink: Ink) -> Ink:
    """Place ink of at most 28x28 in `(28, 28)` with its centre of mass where MNIST has it."""
    canvas = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.float32)
    top, left = (
        int(np.clip(round(CENTRE - _centre_of_mass(ink, axis)), 0, IMAGE_SIZE - ink.shape[axis]))
        for axis in (0, 1)
    )
    canvas[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return canvas


def _centre_of_mass(ink: Ink, axis: int) -> float:
    """Return the centre of mass along an axis, in pixels from the edge."""
    mass = ink.sum(axis=1 - axis, dtype=np.float64)
    return float((np.arange(len(mass)) + 0.5) @ mass / mass.sum())


def to_mnist_form(image: Grey) -> Grey:
    """Bring an image of light ink on dark paper into MNIST's form, `(28, 28) uint8`."""
    ink = _to_ink(image)
    strongest = float(ink.max())
    if strongest == 0:
        return np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    digit = crop_to_ink(ink, _FAINT * strongest)
    return _to_grey(centre_by_mass(rescale(digit, DIGIT_SIZE / max(digit.shape))))


def fit(image: Grey) -> Grey:
    """Resize an image to `(28, 28) uint8`, its aspect kept, padded with the grey of its border."""
    small = rescale(_to_ink(image), IMAGE_SIZE / max(image.shape))
    border = float(np.median(_border(image[None]))) / 255
    canvas = np.full((IMAGE_SIZE, IMAGE_SIZE), border, np.float32)
    top, left = ((IMAGE_SIZE - side) // 2 for side in small.shape)
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return _to_grey(canvas)


def _to_ink(image: Grey) -> Ink:
    return np.asarray(image / np.float32(255), np.float32)


def _to_grey(ink: Ink) -> Grey:
    return np.asarray(np.rint(ink * 255), np.uint8)


def is_on_light_paper(images: npt.NDArray[np.uint8]) -> bool:
    """Return whether most pixels at the borders of `(N, height, width)` images are light."""
    return float(np.mean(_border(images) > _LIGHT)) > 0.5


def _border(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the pixels at the four sides of `(N, height, width)` images, one after the other."""
    sides = images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]
    return np.concatenate([side.reshape(-1) for side in sides])
