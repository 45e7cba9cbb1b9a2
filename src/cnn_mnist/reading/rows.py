"""Strokes in reading order: rows of parts, of which each digit is a run.

A part is a piece of ink, or several that lie above each other as only the parts of one digit do
(the bar of a 5). Which runs of parts are digits the network decides, see `cnn_mnist.reading`; here
are the runs that may be. Source of the method: heuristic over-segmentation, in LeCun, Bottou,
Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Final, TypeAlias

import numpy as np

from cnn_mnist.reading.filters import Field, highest
from cnn_mnist.reading.strokes import Strokes
from cnn_mnist.reading.touching import slices

Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are outside."""

_FRAGMENT: Final = 0.5  # of the height of its neighbour above or below: too low for a digit
_NEAR: Final = 0.35  # of that height: how far away a fragment may lie
_BELOW: Final = 0.4  # of the narrower one's width: what shares so much lies above or below
_BROKEN: Final = 0.1  # of the height of both: pieces so near are one stroke with a gap
_BESIDE: Final = 0.4  # of the lower one's height: neighbours that share so much are in one row
_ALIKE: Final = 3.0  # between the heights of neighbours in a row
_RUN: Final = 5  # parts of one digit at the most
_GAP: Final = 0.25  # of a row's height: no digit has a wider one inside
_WIDEST: Final = 1.3  # of a row's height: no digit that lies in parts is wider


@dataclass(frozen=True, eq=False)
class Part:
    """What a digit is made of."""

    pieces: tuple[int, ...]
    """Numbers in `Strokes.labels`."""
    box: Box
    origin: int = 0
    """The same for all slices of one part, different for all others of a row."""

    @property
    def height(self) -> int:
        """In pixels."""
        return self.box[3] - self.box[1]

    @property
    def width(self) -> int:
        """In pixels."""
        return self.box[2] - self.box[0]

    @property
    def middle(self) -> tuple[float, float]:
        """Horizontal and vertical, in pixels."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2


def find_parts(strokes: Strokes) -> list[list[Part]]:
    """The rows of a picture from top to bottom, each from left to right."""
    parts = [Part((piece,), _box(*box)) for piece, box in enumerate(strokes.boxes, start=1)]
    parts = [join(group) for group in _grouped(parts, _stacked_pairs(parts))]
    parts.sort(key=lambda part: part.middle)
    rows = _grouped(parts, _neighbours(parts))
    return sorted(rows, key=lambda row: float(np.median([part.middle[1] for part in row])))


def join(parts: Sequence[Part]) -> Part:
    """Several parts as one."""
    lefts, tops, rights, bottoms = zip(*(part.box for part in parts), strict=True)
    pieces = tuple(dict.fromkeys(piece for part in parts for piece in part.pieces))
    return Part(pieces, (min(lefts), min(tops), max(rights), max(bottoms)), parts[0].origin)


def slice_wide(strokes: Strokes, row: list[Part]) -> tuple[Strokes, list[Part]]:
    """Cut what is too wide for a digit, so that each slice is a part.

    Returns:
        The strokes, each slice a piece with a number of its own, and the row.
    """
    labels, levels, found = strokes.labels, list(strokes.levels), []
    height = max(part.height for part in row)
    for origin, part in enumerate(row):
        here = _rows_and_columns(part.box)
        own = np.isin(labels[here], part.pieces)
        numbers = slices(own)
        # what is much lower than its neighbours is a fragment: no digits touch in it
        if part.height < _FRAGMENT * height or not numbers.any():
            found.append(replace(part, origin=origin))
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
            box = _box(left.min(), top.min(), left.max() + 1, top.max() + 1)
            found.append(Part((len(levels),), box, origin))
    return replace(strokes, labels=labels, levels=np.array(levels)), found


def runs(row: Sequence[Part]) -> Iterator[tuple[int, int]]:
    """Which parts of a row, from a first to before a last one, may be one digit."""
    wholes = [join(list(group)) for _, group in groupby(row, key=lambda part: part.origin)]
    height = float(np.median([whole.height for whole in wholes]))
    for start in range(len(row)):
        for stop in range(start + 1, min(start + _RUN, len(row)) + 1):
            of_one = row[start].origin == row[stop - 1].origin
            if of_one or _compact(row[start:stop], height):
                yield start, stop


def _compact(parts: Sequence[Part], height: float) -> bool:
    """Whether parts lie as near to each other as those of one digit do."""
    whole = join(parts)
    tall = max(height, whole.height)
    gaps = (right.box[0] - left.box[2] for left, right in pairwise(parts))
    return max(gaps) <= _GAP * tall and whole.width <= _WIDEST * tall


def ink_of(strokes: Strokes, part: Part) -> Field:
    """The ink of a part alone, cut to its box and a pixel around: 0 on paper, 1 in full ink."""
    here = _rows_and_columns(part.box, around=1)
    labels = strokes.labels[here]
    own = np.isin(labels, part.pieces)
    # the pale pixels around a piece belong to it too: they tell where between them its edge runs
    level = highest(np.where(own, strokes.levels[labels - 1], 0), (3, 3))
    own |= (labels == 0) & (level > 0)
    ink = np.where(own, strokes.strength[here] / np.maximum(level, 1e-9), 0)
    return np.clip(ink, 0, 1).astype(np.float32)


def _box(left: int, top: int, right: int, bottom: int) -> Box:
    """Of Python's own integers, as JSON needs them."""
    return int(left), int(top), int(right), int(bottom)


def _rows_and_columns(box: Box, around: int = 0) -> tuple[slice, slice]:
    left, top, right, bottom = box
    return (
        slice(max(0, top - around), bottom + around),
        slice(max(0, left - around), right + around),
    )


def _stacked_pairs(parts: list[Part]) -> Iterator[tuple[int, int]]:
    """Parts above each other that are of one digit: fragments, and strokes with a gap."""
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
        for second in np.flatnonzero((shared > _BELOW * narrower) & near):
            if second > first:
                yield first, int(second)


def _neighbours(parts: list[Part]) -> Iterator[tuple[int, int]]:
    """Each part with the nearest to its right that is beside it; parts are in order of x."""
    for first, part in enumerate(parts):
        for second in range(first + 1, len(parts)):
            other = parts[second]
            shared = min(part.box[3], other.box[3]) - max(part.box[1], other.box[1])
            low, high = sorted((part.height, other.height))
            close = other.box[0] - part.box[2] <= _GAP * high
            if shared >= _BESIDE * low and (close or high <= _ALIKE * low):
                yield first, second
                break


def _grouped(parts: list[Part], pairs: Iterator[tuple[int, int]]) -> list[list[Part]]:
    """Parts that are linked by pairs, directly or through others; each group keeps their order."""
    group = list(range(len(parts)))
    for first, second in pairs:
        merged, gone = group[first], group[second]
        group = [merged if number == gone else number for number in group]
    found: dict[int, list[Part]] = {}
    for part, number in zip(parts, group, strict=True):
        found.setdefault(number, []).append(part)
    return list(found.values())
