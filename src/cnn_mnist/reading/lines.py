"""Put what was found in reading order: lines from top to bottom, each from left to right."""

from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

import numpy as np

from cnn_mnist.reading.detector import Box

_BESIDE: Final = 0.4  # of the lower height: neighbours in a line share so much
_FAR: Final = 6.0  # of the greater height: the widest gap in a line that need not be level
_SLACK: Final = 0.35  # of a height: so far above or below a sign still belongs to a line
_LEVEL: Final = 0.6  # of the lower height: parts of a line far apart share so much


class HasBox(Protocol):
    """Anything with a box."""

    @property
    def box(self) -> Box:
        """Left, top, right, bottom, in pixels."""


Item = TypeVar("Item", bound=HasBox)


def to_lines(items: Sequence[Item]) -> list[list[Item]]:
    """Group items into lines: each joins the line whose last item stands beside it on the left."""
    lines: list[list[Item]] = []
    for item in sorted(items, key=lambda item: item.box[0] + item.box[2]):
        beside = [line for line in lines if _gap(line[-1].box, item.box) is not None]
        if beside:
            min(beside, key=lambda line: _gap(line[-1].box, item.box) or 0).append(item)
        else:
            lines.append([item])
    return _from_top(_merged(lines))


def add_to_lines(lines: Sequence[Sequence[Item]], others: Sequence[Item]) -> list[list[Item]]:
    """Put other items, such as signs and specks, where they stand in lines, which stay as they are.

    What is level with no line gets a line of its own.
    """
    found = [list(line) for line in lines]
    for other in others:
        level = [line for line in found if _is_level(line, other)]
        if level:
            line = min(level, key=lambda line: _distance(_nearest(line, other), other))
            line.append(other)
            line.sort(key=lambda item: item.box[0] + item.box[2])
        else:
            found.append([other])
    return _from_top(found)


def _from_top(lines: list[list[Item]]) -> list[list[Item]]:
    return sorted(lines, key=lambda line: float(np.median([_middle(item.box) for item in line])))


def _is_level(line: Sequence[HasBox], other: HasBox) -> bool:
    """Return whether an item is about as high up as the nearest of a line."""
    _, top, _, bottom = _nearest(line, other).box
    slack = _SLACK * (bottom - top)
    return top - slack <= _middle(other.box) <= bottom + slack


def _nearest(line: Sequence[Item], other: HasBox) -> Item:
    return min(line, key=lambda item: _distance(item, other))


def _distance(item: HasBox, other: HasBox) -> float:
    """Return how far the middles of two items are apart across."""
    return abs(item.box[0] + item.box[2] - other.box[0] - other.box[2]) / 2


def _merged(lines: list[list[Item]]) -> list[list[Item]]:
    """Join lines whose items stand in each other's gaps: digits that jump up and down."""
    merged: list[list[Item]] = []
    for line in lines:
        partner = next((other for other in merged if _interleave(line, other)), None)
        if partner is None:
            merged.append(line)
        else:
            partner += line
            partner.sort(key=lambda item: item.box[0] + item.box[2])
    return merged


def _interleave(line: Sequence[HasBox], other: Sequence[HasBox]) -> bool:
    """Return whether two lines overlap in both directions, but none of their items across."""
    first, second = (np.array([item.box for item in items]) for items in (line, other))
    low = np.maximum(first[:, :2].min(axis=0), second[:, :2].min(axis=0))
    high = np.minimum(first[:, 2:].max(axis=0), second[:, 2:].max(axis=0))
    shared = np.minimum(first[:, None, 2], second[:, 2]) - np.maximum(
        first[:, None, 0], second[:, 0]
    )
    return bool((low < high).all() and (shared <= 0).all())


def _middle(box: Box) -> float:
    return (box[1] + box[3]) / 2


def _gap(left: Box, right: Box) -> float | None:
    """Return how far a box stands to the right of another, in its line; None if it does not."""
    heights = left[3] - left[1], right[3] - right[1]
    shared = min(left[3], right[3]) - max(left[1], right[1])
    gap = right[0] - left[2]
    least = _BESIDE if gap < _FAR * max(heights) else _LEVEL
    return gap if shared >= least * min(heights) else None
