"""Tell ink from paper: how strongly each pixel is written on, in any light and any colours.

Paper covers most of a picture and changes slowly. Ink differs from it along one direction in colour
space: dark on light, white on black, yellow on pink. Both are estimated from the picture itself at
a reduced resolution. The direction is the principal component of the colours minus their local
mean; its sign is the side to which the differences are skewed (ink is rare and strong, so their
third moment has its sign). The paper is a quantile in sliding windows, refined to the mean of the
pixels without ink.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnn_mnist.reading.opencv import Field, Mask, gaussian_blur, maximum_filter

_COARSE_SIDE: Final = 192  # longest side, in pixels, at which paper is estimated
_BLURS: Final = (0.02, 0.06)  # of the longest side: about the width of a thin and a thick stroke
_WINDOW: Final = 0.5  # of the longest side: wide enough for the thickest stroke
_ENOUGH_SKEW: Final = 0.93  # of the greatest skew: then a finer scale shows all of the ink
_MIN_CONTRAST: Final = 3.0  # grey levels: smaller differences are paper
_PAPER_QUANTILE: Final = 0.3  # ink covers at most 70 % of any window


def find_ink(pixels: npt.NDArray[np.uint8]) -> Field:
    """Measure how far each pixel is from the paper, in the ink's direction of colour.

    Args:
        pixels: `(height, width, 3) uint8`.

    Returns:
        `(height, width)` in grey levels (the root of the sum of squares of a colour's three): near
        0, positive or negative, on paper.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, _COARSE_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    coarse = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX), np.float32)
    direction, window = _find_direction(coarse)
    paper = _estimate_paper(coarse @ direction, window)
    return pixels.astype(np.float32) @ direction - _resize(paper, (width, height))


def _find_direction(colours: Field) -> tuple[Field, float]:
    """Find the ink's direction in colour space, and the window in which paper prevails.

    Args:
        colours: `(height, width, 3)`.

    Returns:
        A unit vector `(3,)`; and the window's side as a share of the longest side.
    """
    side = max(colours.shape)
    skews = [(*_skew(colours - gaussian_blur(colours, blur * side)), 6 * blur) for blur in _BLURS]
    skews.append((*_skew(colours - _windowed_quantile(colours, 0.5, _WINDOW)), _WINDOW))
    greatest, direction, _ = max(skews, key=lambda skew: skew[0])
    window = next(
        window
        for skew, other, window in skews
        if skew >= _ENOUGH_SKEW * greatest and other @ direction > 0
    )
    return direction, window


def _skew(differences: Field) -> tuple[float, Field]:
    """Return how much colour differences are skewed, in [0, 1], and in which direction, `(3,)`."""
    vectors = differences.reshape(-1, 3).astype(np.float64)
    axis = np.linalg.eigh(vectors.T @ vectors)[1][:, -1]
    cubes = (vectors @ axis) ** 3
    skew = cubes.sum() / max(np.abs(cubes).sum(), 1e-9)
    return abs(float(skew)), (axis if skew >= 0 else -axis).astype(np.float32)


def _estimate_paper(levels: Field, window: float) -> Field:
    """Estimate the paper's level at each pixel of a coarse picture whose ink has high levels."""
    paper = _windowed_quantile(levels, _PAPER_QUANTILE, window)
    trend = _fit_trend(levels, levels - paper < _threshold(levels - paper))
    flat = levels - trend
    paper = _windowed_quantile(flat, _PAPER_QUANTILE, window)
    for share in (window / 4, window / 8):
        above = flat - paper
        bare = (maximum_filter(above, (3, 3)) < _threshold(above)).astype(np.float32)
        sigma = share * max(levels.shape)
        weight, total = (gaussian_blur(values, sigma) for values in (bare, bare * flat))
        # far from any bare paper the first estimate stays
        trust = weight / (weight + 0.02)
        local_mean = total / np.maximum(weight, 1e-6)
        paper = np.asarray(trust * local_mean + (1 - trust) * paper, np.float32)
    return trend + paper


def _fit_trend(levels: Field, bare: Mask) -> Field:
    """Fit a quadratic surface to the bare paper: uneven light from one side."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in levels.shape), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)
    fit = np.linalg.lstsq(terms[bare], levels[bare], rcond=None)[0]
    return np.asarray(terms @ fit, np.float32)


def _threshold(strength: Field) -> float:
    """Return a level between paper and ink: 0.6 of Otsu's threshold of the positive values."""
    above = strength[strength > 0]
    if above.size == 0:
        return _MIN_CONTRAST
    counts, edges = np.histogram(above, 128, (0, max(float(above.max()), _MIN_CONTRAST)))
    middles = (edges[1:] + edges[:-1]) / 2
    below, mass = counts.cumsum(), (counts * middles).cumsum()
    spread = np.maximum(below * (below[-1] - below), 1)
    between = (mass[-1] * below / below[-1] - mass) ** 2 / spread
    return max(0.6 * float(middles[between.argmax()]), _MIN_CONTRAST)


def _windowed_quantile(values: Field, quantile: float, share: float) -> Field:
    """Compute a quantile in overlapping square windows, interpolated to every pixel.

    Args:
        values: `(height, width)` or `(height, width, channels)`.
        quantile: in [0, 1].
        share: the windows' side as a share of the longest side.
    """
    height, width = values.shape[:2]
    side = max(2, round(share * max(height, width)))
    rows, columns = (max(1, round(3 * length / side)) for length in (height, width))
    windows = []
    for row, column in np.ndindex(rows, columns):
        # a window at the border is moved inside, not cut: it must not contain only ink
        top, left = (
            int(np.clip((place + 0.5) * length / count - side / 2, 0, max(0, length - side)))
            for place, length, count in ((row, height, rows), (column, width, columns))
        )
        windows.append(values[top : top + side, left : left + side])
    quantiles = np.quantile(np.stack(windows), quantile, axis=(1, 2)).astype(np.float32)
    return _resize(quantiles.reshape(rows, columns, *values.shape[2:]), (width, height))


def _resize(values: Field, size: tuple[int, int]) -> Field:
    """Resize to a width and height, bilinearly, channel by channel."""
    if values.ndim == 3:
        return np.stack([_resize(values[..., c], size) for c in range(values.shape[2])], axis=-1)
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR))
