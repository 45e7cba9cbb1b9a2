"""Paper and ink: how strongly each pixel is written on, under uneven light and in any colours.

Paper covers most of a picture and changes slowly. What is written differs from it along one
direction in colour space: dark on light, white on black, yellow on pink. Both are estimated from
the picture itself at a reduced resolution: the direction as the principal component of what is left
when a local mean is taken away, its sign as the side to which the differences lean (ink is rare and
strong, so their third moment has its sign); the paper as a quantile in sliding windows, then again
as the mean of what is no ink.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnn_mnist.reading.filters import Field, blurred, highest

_COARSE: Final = 192  # longest side, in pixels, at which paper is estimated
_SCALES: Final = (0.02, 0.06)  # of the longest side: about the width of a thin and a thick stroke
_WINDOW: Final = 0.5  # of the longest side: wide enough for the thickest stroke
_LEAN_ENOUGH: Final = 0.93  # of the greatest lean: then a finer scale shows all of the ink
_LEAST: Final = 3.0  # grey levels: what differs by less is paper
_PAPER: Final = 0.3  # quantile: in no window does ink cover more than 70 %


def find_ink(pixels: npt.NDArray[np.uint8]) -> Field:
    """How far each pixel is from the paper, in the ink's direction.

    Args:
        pixels: `(height, width, 3) uint8`.

    Returns:
        `(height, width)` in grey levels of the picture (a colour's levels are added by their
        squares): about 0 on paper, of either sign.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, _COARSE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    coarse = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX), np.float32)
    axis, window = _direction(coarse)
    paper = _paper(coarse @ axis, window)
    return pixels.astype(np.float32) @ axis - _resized(paper, (width, height))


def _direction(colours: Field) -> tuple[Field, float]:
    """The ink's direction in colour space, `(3,)`, and the window in which paper prevails."""
    side = max(colours.shape)
    leans = [(*_lean(colours - blurred(colours, scale * side)), 6 * scale) for scale in _SCALES]
    leans.append((*_lean(colours - _windowed(colours, 0.5, _WINDOW)), _WINDOW))
    strongest, axis, _ = max(leans, key=lambda lean: lean[0])
    window = next(
        window
        for strength, other, window in leans
        if strength >= _LEAN_ENOUGH * strongest and other @ axis > 0
    )
    return axis, window


def _lean(differences: Field) -> tuple[float, Field]:
    """How much differences of colour lean to one side, in [0, 1], and the unit vector to there."""
    vectors = differences.reshape(-1, 3).astype(np.float64)
    axis = np.linalg.eigh(vectors.T @ vectors)[1][:, -1]
    cubes = (vectors @ axis) ** 3
    lean = cubes.sum() / max(np.abs(cubes).sum(), 1e-9)
    return abs(float(lean)), (axis if lean >= 0 else -axis).astype(np.float32)


def _paper(levels: Field, window: float) -> Field:
    """The paper's level under all of a coarse picture, whose ink is high."""
    paper = _windowed(levels, _PAPER, window)
    trend = _trend(levels, levels - paper < _half(levels - paper))
    flat = levels - trend
    paper = _windowed(flat, _PAPER, window)
    for reach in (window / 4, window / 8):
        above = flat - paper
        bare = (highest(above, (3, 3)) < _half(above)).astype(np.float32)
        sigma = reach * max(levels.shape)
        weight, total = (blurred(values, sigma) for values in (bare, bare * flat))
        # far from any bare paper the first estimate stays
        trust = weight / (weight + 0.02)
        known = total / np.maximum(weight, 1e-6)
        paper = np.asarray(trust * known + (1 - trust) * paper, np.float32)
    return trend + paper


def _trend(levels: Field, bare: npt.NDArray[np.bool_]) -> Field:
    """The quadratic surface nearest to the bare paper: even light from one side."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in levels.shape), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)
    fit = np.linalg.lstsq(terms[bare], levels[bare], rcond=None)[0]
    return np.asarray(terms @ fit, np.float32)


def _half(strength: Field) -> float:
    """A level between the paper and its ink: a little below Otsu's, of what is above the paper."""
    above = strength[strength > 0]
    if above.size == 0:
        return _LEAST
    counts, edges = np.histogram(above, 128, (0, max(float(above.max()), _LEAST)))
    middles = (edges[1:] + edges[:-1]) / 2
    below, mass = counts.cumsum(), (counts * middles).cumsum()
    spread = np.maximum(below * (below[-1] - below), 1)
    between = (mass[-1] * below / below[-1] - mass) ** 2 / spread
    return max(0.6 * float(middles[between.argmax()]), _LEAST)


def _windowed(values: Field, quantile: float, share: float) -> Field:
    """A quantile in square windows, whose side is a share of the longest side, at every pixel."""
    height, width = values.shape[:2]
    side = max(2, round(share * max(height, width)))
    rows, columns = (max(1, round(3 * length / side)) for length in (height, width))
    windows = []
    for row, column in np.ndindex(rows, columns):
        # a window at the border is moved inside, not cut: it must not see ink alone
        top, left = (
            int(np.clip((place + 0.5) * length / count - side / 2, 0, max(0, length - side)))
            for place, length, count in ((row, height, rows), (column, width, columns))
        )
        windows.append(values[top : top + side, left : left + side])
    found = np.quantile(np.stack(windows), quantile, axis=(1, 2)).astype(np.float32)
    found = found.reshape(rows, columns, *values.shape[2:])
    return _resized(found, (width, height))


def _resized(values: Field, size: tuple[int, int]) -> Field:
    """Bilinear, channel by channel, to a width and a height."""
    if values.ndim == 3:
        return np.stack([_resized(values[..., c], size) for c in range(values.shape[2])], axis=-1)
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR))
