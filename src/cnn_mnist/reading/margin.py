"""Give a picture that is cropped to its digit a margin of paper, so that paper prevails in it."""

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnn_mnist.reading.opencv import Mask, otsu_threshold

_COARSE_SIDE: Final = 96  # longest side, in pixels, at which ink and paper are told apart
_MARGIN: Final = 0.25  # of the longest side, at each of the four
_MIN_INK: Final = 0.3  # of the picture: below it, paper prevails anyway
_NEAR: Final = 0.06  # of the longest side: ink so near reaches it
_TWO_LEVELS: Final = 0.8  # of the variance lies between ink and paper, in a picture of only these


def add_margin(pixels: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], int]:
    """Surround a picture by paper where it consists of a thick digit cropped to its outline.

    Such a picture has only two levels, much ink, and ink that touches all four sides; paper is
    what prevails along the border.

    Args:
        pixels: `(height, width, 3) uint8`.

    Returns:
        The picture, with its margin; and the margin's width in pixels, or 0.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, _COARSE_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    coarse = np.asarray(Image.fromarray(pixels).convert("L").resize(size, Image.Resampling.BOX))
    bright = coarse > otsu_threshold(coarse)
    border = np.concatenate([bright[:, 0], bright[0], bright[:, -1], bright[-1]])
    ink = ~bright if border.mean() >= 0.5 else bright
    if ink.mean() < _MIN_INK or not _is_cropped(ink) or not _has_two_levels(coarse, ink):
        return pixels, 0
    margin = round(_MARGIN * max(height, width))
    paper = np.median(pixels[_resized(~ink, (width, height))], axis=0)
    framed = np.full((height + 2 * margin, width + 2 * margin, 3), paper, np.uint8)
    framed[margin:-margin, margin:-margin] = pixels
    return framed, margin


def _is_cropped(ink: Mask) -> bool:
    """Return whether ink reaches all four sides."""
    near = max(1, round(_NEAR * max(ink.shape)))
    return all(side.any() for side in (ink[:, :near], ink[:near], ink[:, -near:], ink[-near:]))


def _has_two_levels(grey: npt.NDArray[np.uint8], ink: Mask) -> bool:
    """Return whether nearly all variance lies between ink and paper."""
    levels = np.where(ink, grey[ink].mean(), grey[~ink].mean())
    return float(levels.var()) >= _TWO_LEVELS * float(grey.var())


def _resized(mask: Mask, size: tuple[int, int]) -> Mask:
    return np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST), np.bool_)
