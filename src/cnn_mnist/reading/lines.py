"""Put what was found in reading order: lines from top to bottom, each from left to right."""

from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

import numpy as np

from cnn_mnist.reading.detector import Box

_BESIDE: Final = 0.4  # of the lower height: neighbours in a line share so much
_FAR: Final = 6.0  # of the greater height: the widest gap in a line that need not be level
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
    lines = _merged(lines)
    return sorted(lines, key=lambda line: float(np.median([_middle(item.box) for item in line])))


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
