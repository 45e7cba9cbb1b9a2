"""Find connected strokes in the strength of ink, without grain, ruled lines, frames and specks."""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from cnn_mnist.reading.opencv import (
    Boxes,
    Field,
    Mask,
    connected_components,
    gaussian_blur,
    maximum_filter,
    open_along,
)

Labels: TypeAlias = npt.NDArray[np.int32]
"""`(height, width)`: the number of each pixel's piece, from 1, or 0."""
Levels: TypeAlias = npt.NDArray[np.float64]

_MIN_CONTRAST: Final = 9.0  # grey levels: weaker differences are paper
_GRAINS: Final = 5.0  # standard deviations of the paper's grain that ink exceeds
_LARGE: Final = 200  # pixels of the shorter side: larger pictures may show more than one digit
_EDGE: Final = 0.45  # share of a piece's own level where its edge lies
_FAINT: Final = 0.3  # of the typical level: fainter pieces are stains and show-through
_SPECK: Final = 0.22  # of the typical size: smaller pieces are specks
_SIDE: Final = 0.9  # of a side of the picture: no digit lies along so much of it
_PERIMETER: Final = 0.25  # of the picture's perimeter: no digit lies along so much of it
_STRIP: Final = 0.7  # a piece with this share of its length at the border,
_THIN: Final = 4  # and this many times as long as wide, is the edge of an object
_RULED: Final = 0.6  # of the width: the least length of a ruled line that strokes interrupt
_MAX_PIECES: Final = 256  # the largest ones are kept: more than a page of digits is a texture


@dataclass(frozen=True, eq=False)
class Strokes:
    """The pieces of ink in a picture; a piece is a connected component."""

    strength: Field
    """`(height, width)`: see `ink.find_ink`; blurred where the paper has a grain."""
    labels: Labels
    """`(height, width)`: the number of each pixel's piece, from 1; 0 on paper and dirt."""
    boxes: Boxes
    """`(N, 4)`: the bounding boxes of pieces 1, 2, ..., N."""
    levels: Levels
    """`(N,)`: the strength of each piece's full ink."""


def find_strokes(strength: Field) -> Strokes:
    """Find the pieces of ink that may be digits or parts of digits.

    Args:
        strength: `(height, width)`; see `ink.find_ink`.
    """
    grain = _estimate_grain(strength)
    if grain > 1 and min(strength.shape) > _LARGE:
        # strokes of several pixels lose nothing by it
        strength = gaussian_blur(strength, 1.0, truncate=2)
        grain = _estimate_grain(strength)
    written = strength > max(_GRAINS * grain, _MIN_CONTRAST)
    written &= ~_find_rulings(written)
    labels, _ = connected_components(written)
    levels = _find_levels(strength, labels)
    # each piece has a threshold of its own, because the pens in one picture differ
    written &= strength > _EDGE * levels[labels]
    labels, boxes = connected_components(written)
    levels = _find_levels(strength, labels)
    kept = _select(labels, boxes, levels[1:])
    numbers = np.zeros(len(levels), np.int32)
    numbers[kept + 1] = np.arange(1, len(kept) + 1)
    return Strokes(strength, numbers[labels], boxes[kept], levels[kept + 1])


def _estimate_grain(strength: Field) -> float:
    """Estimate the standard deviation of bare paper from the median, which ink does not move."""
    return 1.4826 * float(np.median(np.abs(strength)))


def _find_levels(strength: Field, labels: Labels) -> Levels:
    """Return the strength of each piece's ink, indexed by its number; 0 for paper."""
    written = labels > 0
    numbers, ink = labels[written], strength[written]
    # the mean weighted by the strength itself: pale edges hardly count
    sums = np.bincount(numbers, ink, labels.max() + 1)
    return np.bincount(numbers, ink * ink, len(sums)) / np.maximum(sums, 1e-9)


def _select(labels: Labels, boxes: Boxes, levels: Levels) -> npt.NDArray[np.int64]:
    """Return the indices in `boxes` of the pieces that may be digits or parts of digits."""
    areas = np.bincount(labels[labels > 0], minlength=len(boxes) + 1)[1:]
    masses = areas * levels
    large = min(labels.shape) > _LARGE  # in a small crop a digit itself runs along the border
    kept = np.flatnonzero(~(_find_frames(labels, boxes) & large))
    if len(kept) == 0:
        return kept
    # the median weighted by squared mass: a thousand specks weigh less than one digit
    sizes = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    typical_size = _weighted_median(sizes[kept], masses[kept] ** 2)
    typical_level = _weighted_median(levels[kept], masses[kept] ** 2)
    kept = kept[(sizes[kept] >= _SPECK * typical_size) & (levels[kept] >= _FAINT * typical_level)]
    return np.sort(kept[np.argsort(-masses[kept], kind="stable")][:_MAX_PIECES])


def _find_frames(labels: Labels, boxes: Boxes) -> Mask:
    """Return which pieces `(N,)` run along the border, such as a table beside the paper."""
    borders = labels[:, 0], labels[0], labels[:, -1], labels[-1]
    along = np.stack([np.bincount(border, minlength=len(boxes) + 1)[1:] for border in borders])
    sides = np.array([[len(border)] for border in borders])
    widths, heights = (boxes[:, 2:] - boxes[:, :2]).T
    lengths, depths = np.stack([heights, widths] * 2), np.stack([widths, heights] * 2)
    strips = (along > _STRIP * lengths) & (lengths > _THIN * depths)
    frames = ((along > _SIDE * sides) | strips).any(axis=0)
    return np.asarray(frames | (along.sum(axis=0) > _PERIMETER * sides.sum()))


def _weighted_median(values: npt.NDArray[Any], weights: npt.NDArray[np.float64]) -> float:
    order = np.argsort(values)
    mass = weights[order].cumsum()
    return float(values[order][np.searchsorted(mass, mass[-1] / 2)])


def _find_rulings(written: Mask) -> Mask:
    """Find the lines of ruled and squared paper."""
    rulings: Mask = _find_horizontal_rulings(written) | _find_horizontal_rulings(written.T).T
    return rulings


def _find_horizontal_rulings(written: Mask) -> Mask:
    """Find thin lines that run from border to border, nearly level.

    Level runs of thin ink that follow each other are linked, even across a stroke of up to a
    quarter of the width; a chain from border to border is a ruled line.
    """
    height, width = written.shape
    run, thick = max(9, width // 40), max(4, height // 100)
    level = open_along(written, run, axis=1)
    if min(height, width) <= _LARGE or level.any(axis=0).mean() < _RULED:
        return np.zeros_like(written)
    thin = written & ~open_along(written, thick, axis=0)
    level &= thin
    chains, boxes = connected_components(maximum_filter(level, (3, width // 4)))
    rows, columns = np.nonzero(level)
    covered = np.zeros((len(boxes) + 1, width), np.bool_)
    covered[chains[rows, columns], columns] = True
    near = max(2, width // 50)
    from_border_to_border = covered[:, :near].any(axis=1) & covered[:, -near:].any(axis=1)
    ruled = from_border_to_border & (covered.mean(axis=1) >= _RULED)
    rulings: Mask = thin & ruled[chains]
    return rulings
