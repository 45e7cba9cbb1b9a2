"""Bring a picture to grey levels in which ink and paper differ most, and stretch these.

Brightness, unless most of what varies in the picture is a colour (yellow on pink): then the
direction in colour space along which it varies most.
"""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

Grey = npt.NDArray[np.uint8]
"""`(height, width)`."""

_COARSE_SIDE: Final = 96  # longest side, in pixels, at which colours are compared
_BRIGHTNESS: Final = np.array([0.299, 0.587, 0.114], np.float32)
_ENOUGH: Final = 0.7  # of the greatest standard deviation along any direction: then brightness
_FARTHEST: Final = 1.3  # where hardly a pixel is written on, ink would lie far outside
_LEAST_RANGE: Final = 24  # levels: less is noise, and is not stretched further


def to_grey(pixels: npt.NDArray[np.uint8]) -> Grey:
    """Return the grey levels of a picture, `(height, width, 3)`."""
    image = Image.fromarray(pixels)
    if (pixels[::7, ::7] == pixels[::7, ::7, :1]).all():  # a grey picture
        return np.asarray(image.convert("L"))
    coarse = image.copy()
    coarse.thumbnail((_COARSE_SIDE, _COARSE_SIDE), Image.Resampling.BOX)
    colours = np.asarray(coarse, np.float32).reshape(-1, 3)
    colours = colours - colours.mean(axis=0)
    directions = np.linalg.eigh(colours.T @ colours)[1]
    main = directions[:, -1].astype(np.float32)
    brightness = _BRIGHTNESS / np.linalg.norm(_BRIGHTNESS)
    if (colours @ brightness).std() > _ENOUGH * (colours @ main).std():
        return np.asarray(image.convert("L"))
    levels = pixels.astype(np.float32) @ (main if main.sum() >= 0 else -main)
    low, high = float(levels.min()), float(levels.max())
    return np.asarray((levels - low) * (255 / max(high - low, 1)), np.uint8)


def normalise(grey: Grey) -> npt.NDArray[np.float32]:
    """Stretch the levels of a picture to about [-1, 1], the median at 0."""
    low, middle, high = np.quantile(grey[::2, ::2], [0.005, 0.5, 0.995])
    levels = (grey.astype(np.float32) - middle) / max(high - low, _LEAST_RANGE)
    return np.asarray(np.clip(levels, -_FARTHEST, _FARTHEST), np.float32)


def border_level(grey: Grey) -> int:
    """Return the level that most of a picture's border has."""
    return int(np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])))


def resize(grey: Grey, factor: float) -> Grey:
    """Scale a picture; at least one pixel is left of each side."""
    width, height = (max(1, round(side * factor)) for side in grey.shape[::-1])
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(grey, (width, height), interpolation=how), np.uint8)
