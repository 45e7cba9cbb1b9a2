"""From the strength of ink to strokes: connected pieces, without grain, rulings, frames, specks."""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from cnn_mnist.reading.filters import Boxes, Field, Mask, blurred, highest, opened, pieces

Levels: TypeAlias = npt.NDArray[np.float64]

_MIN_CONTRAST: Final = 9.0  # grey levels: below it there is only paper
_GRAINS: Final = 5.0  # standard deviations of the paper's grain that ink exceeds
_LARGE: Final = 200  # pixels of a side: a picture that may show more than a digit
_EDGE: Final = 0.45  # of a piece's own strength: where its edge lies
_FAINT: Final = 0.3  # of the typical strength: fainter pieces are stains and show-through
_SPECK: Final = 0.22  # of the typical height: smaller pieces are specks
_SIDE: Final = 0.9  # of a side of the picture: no digit runs along it for so long
_PERIMETER: Final = 0.25  # nor along so much of its perimeter
_STRIP: Final = 0.7  # a piece that keeps to the border for so much of its length,
_THIN: Final = 4  # and is so many times as long as deep, is the edge of something
_RULED: Final = 0.6  # of its length: strokes upon a ruling interrupt it
_MAX_PIECES: Final = 256  # the largest stay: more than a page of digits is a texture


@dataclass(frozen=True, eq=False)
class Strokes:
    """Connected pieces of ink."""

    strength: Field
    """`(height, width)`: see `ink.find_ink`; smoothed where the paper has a grain."""
    labels: npt.NDArray[np.int32]
    """`(height, width)`: the number of each pixel's piece; 0 on paper and dirt."""
    boxes: Boxes
    """Of pieces 1, 2, ..., in the rows 0, 1, ..."""
    levels: Levels
    """`(N,)`: the strength of each piece's full ink."""


def find_strokes(strength: Field) -> Strokes:
    """Separate the strokes from all else.

    Args:
        strength: see `ink.find_ink`.
    """
    grain = _grain(strength)
    if grain > 1 and min(strength.shape) > _LARGE:
        # strokes of several pixels lose nothing to it
        strength = blurred(strength, 1.0, reach=2)
        grain = _grain(strength)
    written = strength > max(_GRAINS * grain, _MIN_CONTRAST)
    written &= ~_rulings(written)
    labels, _ = pieces(written)
    levels = _levels(strength, labels)
    # each piece is cut out at a share of its own strength, for pens differ within a picture
    written &= strength > _EDGE * levels[labels]
    labels, boxes = pieces(written)
    levels = _levels(strength, labels)
    kept = _likely(labels, boxes, levels[1:])
    numbers = np.zeros(len(levels), np.int32)
    numbers[kept + 1] = np.arange(1, len(kept) + 1)
    return Strokes(strength, numbers[labels], boxes[kept], levels[kept + 1])


def _grain(strength: Field) -> float:
    """Standard deviation of bare paper, from the median, which ink does not move."""
    return 1.4826 * float(np.median(np.abs(strength)))


def _levels(strength: Field, labels: npt.NDArray[np.int32]) -> Levels:
    """The strength of each piece's ink, by its number; 0 for paper."""
    written = labels > 0
    numbers, ink = labels[written], strength[written]
    # the mean, weighted by itself: pale edges hardly count
    sums = np.bincount(numbers, ink, labels.max() + 1)
    return np.bincount(numbers, ink * ink, len(sums)) / np.maximum(sums, 1e-9)


def _likely(labels: npt.NDArray[np.int32], boxes: Boxes, levels: Levels) -> npt.NDArray[np.int64]:
    """Which pieces may be digits or parts of one, as rows of `boxes`."""
    areas = np.bincount(labels[labels > 0], minlength=len(boxes) + 1)[1:]
    masses = areas * levels
    large = min(labels.shape) > _LARGE  # in a small crop a digit itself runs along the border
    kept = np.flatnonzero(~(_frames(labels, boxes) & large))
    if len(kept) == 0:
        return kept
    # what has most ink tells what is typical: squared, a thousand specks weigh less than a digit
    sizes = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    typical_size = _weighted_median(sizes[kept], masses[kept] ** 2)
    typical_level = _weighted_median(levels[kept], masses[kept] ** 2)
    kept = kept[(sizes[kept] >= _SPECK * typical_size) & (levels[kept] >= _FAINT * typical_level)]
    return np.sort(kept[np.argsort(-masses[kept], kind="stable")][:_MAX_PIECES])


def _frames(labels: npt.NDArray[np.int32], boxes: Boxes) -> Mask:
    """Which pieces run along the border: the table beside the paper, the edge of a screenshot."""
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


def _rulings(written: Mask) -> Mask:
    """The lines of ruled and squared paper."""
    rulings: Mask = _horizontal_rulings(written) | _horizontal_rulings(written.T).T
    return rulings


def _horizontal_rulings(written: Mask) -> Mask:
    """Thin lines that run from border to border, nearly level.

    Level runs of thin ink that follow each other, though a stroke of up to a quarter of the width
    lies between, are linked; a chain from border to border is a ruling.
    """
    height, width = written.shape
    run, thick = max(9, width // 40), max(4, height // 100)
    level = opened(written, run, axis=1)
    if min(height, width) <= _LARGE or level.any(axis=0).mean() < _RULED:
        return np.zeros_like(written)
    thin = written & ~opened(written, thick, axis=0)
    level &= thin
    chains, boxes = pieces(highest(level, (3, width // 4)))
    rows, columns = np.nonzero(level)
    covered = np.zeros((len(boxes) + 1, width), np.bool_)
    covered[chains[rows, columns], columns] = True
    near = max(2, width // 50)
    from_border_to_border = covered[:, :near].any(axis=1) & covered[:, -near:].any(axis=1)
    ruled = from_border_to_border & (covered.mean(axis=1) >= _RULED)
    ruling: Mask = thin & ruled[chains]
    return ruling
