"""Arrange pieces of ink in reading order: rows of parts, of which each digit is a run.

A part is a piece of ink, or several that lie above each other as only the pieces of one digit do
(the bar of a 5). `runs` lists the runs of parts that may be digits; the networks decide which are,
see `reader`. Source of the method: heuristic over-segmentation, in LeCun, Bottou, Bengio and
Haffner, "Gradient-based learning applied to document recognition", 1998.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Final, TypeAlias

import numpy as np

from cnn_mnist.reading.opencv import Field, maximum_filter
from cnn_mnist.reading.strokes import Strokes
from cnn_mnist.reading.touching import label_slices

Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are exclusive."""

_FRAGMENT: Final = 0.5  # of the height of its neighbour: a lower part is a fragment, not a digit
_NEAR: Final = 0.35  # of that height: how far away a fragment may lie above or below
_ABOVE: Final = 0.4  # of the narrower width: parts that share so much lie above each other
_BROKEN: Final = 0.1  # of both heights together: parts so near are one stroke with a gap
_BESIDE: Final = 0.4  # of the lower height: neighbours that share so much are in one row
_ALIKE: Final = 3.0  # the greatest ratio of heights of distant neighbours in a row
_MAX_PARTS: Final = 5  # of one digit
_GAP: Final = 0.25  # of a row's height: the widest gap within a digit
_WIDEST: Final = 1.3  # of a row's height: the greatest width of a digit in several parts


@dataclass(frozen=True, eq=False)
class Part:
    """One or more pieces of ink that belong to one digit, or a slice of them."""

    pieces: tuple[int, ...]
    """Numbers in `Strokes.labels`."""
    box: Box
    origin: int = 0
    """Equal for all slices of one part, different for all other parts of a row."""

    @property
    def height(self) -> int:
        """The height of its box, in pixels."""
        return self.box[3] - self.box[1]

    @property
    def width(self) -> int:
        """The width of its box, in pixels."""
        return self.box[2] - self.box[0]

    @property
    def middle(self) -> tuple[float, float]:
        """The horizontal and vertical middle of its box, in pixels."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2


def find_parts(strokes: Strokes) -> list[list[Part]]:
    """Return the parts of each row, rows from top to bottom, each from left to right."""
    parts = [Part((piece,), _to_box(*box)) for piece, box in enumerate(strokes.boxes, start=1)]
    parts = [join(group) for group in _group(parts, _stacked_pairs(parts))]
    parts.sort(key=lambda part: part.middle)
    rows = _group(parts, _neighbouring_pairs(parts))
    return sorted(rows, key=lambda row: float(np.median([part.middle[1] for part in row])))


def join(parts: Sequence[Part]) -> Part:
    """Join several parts into one."""
    lefts, tops, rights, bottoms = zip(*(part.box for part in parts), strict=True)
    pieces = tuple(dict.fromkeys(piece for part in parts for piece in part.pieces))
    return Part(pieces, (min(lefts), min(tops), max(rights), max(bottoms)), parts[0].origin)


def slice_wide(strokes: Strokes, row: list[Part]) -> tuple[Strokes, list[Part]]:
    """Cut the parts of a row that are too wide for a digit into slices.

    Returns:
        The strokes, in which each slice is a piece with a number of its own; and the row, in which
        each slice is a part.
    """
    labels, levels, parts = strokes.labels, list(strokes.levels), []
    height = max(part.height for part in row)
    for origin, part in enumerate(row):
        window = _window(part.box)
        own = np.isin(labels[window], part.pieces)
        numbers = label_slices(own)
        # a fragment, much lower than its neighbours, cannot contain touching digits
        if part.height < _FRAGMENT * height or not numbers.any():
            parts.append(replace(part, origin=origin))
            continue
        if labels is strokes.labels:
            labels = labels.copy()
        level = max(levels[piece - 1] for piece in part.pieces)
        for number in range(numbers.max() + 1):
            rows, columns = np.nonzero(own & (numbers == number))
            if len(rows) == 0:
                continue
            levels.append(level)
            top, left = part.box[1] + rows, part.box[0] + columns
            labels[top, left] = len(levels)
            box = _to_box(left.min(), top.min(), left.max() + 1, top.max() + 1)
            parts.append(Part((len(levels),), box, origin))
    return replace(strokes, labels=labels, levels=np.array(levels)), parts


def runs(row: Sequence[Part]) -> Iterator[tuple[int, int]]:
    """Yield the runs of parts of a row that may be one digit: their first index, and the end."""
    wholes = [join(list(group)) for _, group in groupby(row, key=lambda part: part.origin)]
    height = float(np.median([whole.height for whole in wholes]))
    for start in range(len(row)):
        for stop in range(start + 1, min(start + _MAX_PARTS, len(row)) + 1):
            of_one = row[start].origin == row[stop - 1].origin
            if of_one or _is_compact(row[start:stop], height):
                yield start, stop


def _is_compact(parts: Sequence[Part], height: float) -> bool:
    """Return whether parts lie as near to each other as those of one digit."""
    whole = join(parts)
    tall = max(height, whole.height)
    gaps = (right.box[0] - left.box[2] for left, right in pairwise(parts))
    return max(gaps) <= _GAP * tall and whole.width <= _WIDEST * tall


def extract_ink(strokes: Strokes, part: Part) -> Field:
    """Extract the ink of a part alone.

    Returns:
        `(height, width)`, the part's box and a pixel around: 0 on paper, 1 in full ink.
    """
    window = _window(part.box, margin=1)
    labels = strokes.labels[window]
    own = np.isin(labels, part.pieces)
    # the pale pixels around a piece belong to it, too: they show where between them its edge runs
    level = maximum_filter(np.where(own, strokes.levels[labels - 1], 0), (3, 3))
    own |= (labels == 0) & (level > 0)
    ink = np.where(own, strokes.strength[window] / np.maximum(level, 1e-9), 0)
    return np.clip(ink, 0, 1).astype(np.float32)


def _to_box(left: int, top: int, right: int, bottom: int) -> Box:
    """Make a box of Python's own integers, which JSON needs."""
    return int(left), int(top), int(right), int(bottom)


def _window(box: Box, margin: int = 0) -> tuple[slice, slice]:
    """Return the rows and columns of a box with a margin."""
    left, top, right, bottom = box
    return (
        slice(max(0, top - margin), bottom + margin),
        slice(max(0, left - margin), right + margin),
    )


def _stacked_pairs(parts: list[Part]) -> Iterator[tuple[int, int]]:
    """Yield pairs of parts above each other that belong to one digit: fragments, broken strokes."""
    boxes = np.array([part.box for part in parts]).reshape(-1, 4)
    for first, (left, top, right, bottom) in enumerate(boxes):
        shared = np.minimum(right, boxes[:, 2]) - np.maximum(left, boxes[:, 0])
        narrower = np.minimum(right - left, boxes[:, 2] - boxes[:, 0])
        gap = np.maximum(boxes[:, 1] - bottom, top - boxes[:, 3])
        heights = boxes[:, 3] - boxes[:, 1]
        low, high = np.minimum(heights, bottom - top), np.maximum(heights, bottom - top)
        near = (low < _FRAGMENT * high) & (gap < _NEAR * high)
        near |= gap <= np.maximum(1, _BROKEN * (low + high))
        # no digit lies inside another: the eyes of a face are parts of the face
        near |= (gap < 0) & (shared == narrower) & (-gap >= low)
        for second in np.flatnonzero((shared > _ABOVE * narrower) & near):
            if second > first:
                yield first, int(second)


def _neighbouring_pairs(parts: list[Part]) -> Iterator[tuple[int, int]]:
    """Yield each part with its nearest right neighbour in the same row; parts are in order of x."""
    for first, part in enumerate(parts):
        for second in range(first + 1, len(parts)):
            other = parts[second]
            shared = min(part.box[3], other.box[3]) - max(part.box[1], other.box[1])
            low, high = sorted((part.height, other.height))
            close = other.box[0] - part.box[2] <= _GAP * high
            if shared >= _BESIDE * low and (close or high <= _ALIKE * low):
                yield first, second
                break


def _group(parts: list[Part], pairs: Iterator[tuple[int, int]]) -> list[list[Part]]:
    """Group parts that pairs link, directly or through others; each group keeps their order."""
    group = list(range(len(parts)))
    for first, second in pairs:
        kept, merged = group[first], group[second]
        group = [kept if number == merged else number for number in group]
    groups: dict[int, list[Part]] = {}
    for part, number in zip(parts, group, strict=True):
        groups.setdefault(number, []).append(part)
    return list(groups.values())
