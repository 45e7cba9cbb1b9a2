"""Find the fields of a form or a table: the rectangles that its lines enclose.

Lines are what is dark along a whole stretch, up or across; short gaps in them are closed, and the
border of the picture counts as one. A field is a hole between lines that is nearly a rectangle.
Lines may be a degree or two from upright; not covered: fields without lines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from cnn_mnist.reading.detector import Box, Mark
from cnn_mnist.reading.grey import Grey
from cnn_mnist.reading.lines import to_lines

_DARKER: Final = 4  # levels: a line differs so much from the paper around it
_STRETCH: Final = 0.035  # of the longest side: the shortest line
_OF_SHORTER: Final = 0.25  # of the shorter side: the shortest line is not longer
_GAP: Final = 1.6  # of the shortest line: gaps that are closed
_SEEN: Final = 0.35  # of each side of a field: so much of its lines is seen
_BESIDE: Final = 6  # pixels from a field's side: there its line is
_LARGEST: Final = 0.5  # of the picture's area
_FULL: Final = 0.8  # of the rectangle around a field that it fills
_LEAST_SCORE: Final = 0.4  # of a character that says something about fields
_HEIGHT: Final = 1.2  # of a field: a character around its middle that is higher makes it a loop
_IN_FIELDS: Final = 0.85  # of the digits that are level with fields: else these are not all
_ALIKE: Final = 2.0  # by which factor the heights of fields may differ from their median


@dataclass(frozen=True)
class FormField:
    """A field of a form."""

    box: Box
    row: int = 0
    """From 1."""
    column: int = 0
    """From 1; the fields of a column begin at about the same place."""


def find_fields(grey: Grey) -> list[FormField]:
    """Find the fields of a form, row by row; none where there are fewer than two."""
    # beside a dark line the paper is light: there the other of the two finds smaller fields
    found = max((_outermost(_holes(*_lines(g))) for g in (grey, 255 - grey)), key=_area)
    fields = _of_one_height(found)
    if len(fields) < 2:
        return []
    starts = _columns(fields)
    return [
        FormField(field.box, row, 1 + int(np.abs(starts - field.box[0]).argmin()))
        for row, line in enumerate(to_lines([FormField(box) for box in fields]), start=1)
        for field in line
    ]


def _area(boxes: list[Box]) -> float:
    return sum((box[2] - box[0]) * (box[3] - box[1]) for box in boxes)


def _columns(boxes: list[Box]) -> npt.NDArray[np.float64]:
    """Return where the columns begin, from left to right."""
    lefts = np.sort([box[0] for box in boxes])
    apart = 0.5 * min(box[2] - box[0] for box in boxes)
    groups = np.split(lefts, np.flatnonzero(np.diff(lefts) > apart) + 1)
    return np.array([group.mean() for group in groups])


def _lines(grey: Grey) -> tuple[Grey, Grey]:
    """Return 255 where a dark line or the picture's border runs, with gaps closed and without."""
    stretch = _stretch(grey.shape)
    window = 2 * (stretch // 3) + 1
    dark = cv2.adaptiveThreshold(
        grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, window, _DARKER
    )
    lines = np.zeros((2, *dark.shape), np.uint8)
    for length, across in (((stretch, 1), (1, 3)), ((1, stretch), (3, 1))):
        gap = tuple(max(1, round(_GAP * side)) for side in length)
        thick = cv2.dilate(dark, np.ones(across, np.uint8))
        whole = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones(length, np.uint8))
        closed = cv2.morphologyEx(whole, cv2.MORPH_CLOSE, np.ones(gap, np.uint8))
        lines = np.maximum(lines, [closed, whole])
    lines[:, [0, -1]], lines[:, :, [0, -1]] = 255, 255
    return lines[0], lines[1]


def _stretch(shape: tuple[int, ...]) -> int:
    """Return the length of the shortest line in a picture, in pixels."""
    return max(12, min(round(_STRETCH * max(shape)), round(_OF_SHORTER * min(shape))))


def _holes(lines: Grey, seen: Grey) -> list[Box]:
    """Return the boxes of the nearly rectangular regions that lines enclose.

    Args:
        lines: see `_lines`, with gaps closed.
        seen: without.
    """
    outlines, hierarchy = cv2.findContours(lines, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    boxes = []
    for outline, (_, _, _, parent) in zip(outlines, hierarchy[0], strict=True):
        if parent < 0:  # the outline of a line, not of a hole
            continue
        left, top, width, height = cv2.boundingRect(outline)
        sides = sorted(cv2.minAreaRect(outline)[1])
        area = sides[0] * sides[1]
        spans = width > lines.shape[1] - 9 or height > lines.shape[0] - 9  # a strip, or the page
        if sides[0] < _stretch(lines.shape) or area > _LARGEST * lines.size or spans:
            continue
        box = left, top, left + width, top + height
        if cv2.contourArea(outline) >= _FULL * area and _is_framed(seen, box):
            boxes.append((float(left), float(top), float(left + width), float(top + height)))
    return boxes


def _is_framed(seen: Grey, box: tuple[int, int, int, int]) -> bool:
    """Return whether lines are seen along every side of a box, and not only closed gaps.

    Between separate boxes that stand side by side there are gaps only.
    """
    left, top, right, bottom = box
    sides = [
        seen[max(0, side - _BESIDE) : side + _BESIDE, left:right].any(axis=0)
        for side in (top, bottom)
    ]
    sides += [
        seen[top:bottom, max(0, side - _BESIDE) : side + _BESIDE].any(axis=1)
        for side in (left, right)
    ]
    return min(float(side.mean()) for side in sides) >= _SEEN


def _outermost(boxes: list[Box]) -> list[Box]:
    """Drop boxes whose middle lies in a larger one."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda box: -(box[2] - box[0]) * (box[3] - box[1])):
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        if not any(k[0] <= x <= k[2] and k[1] <= y <= k[3] for k in kept):
            kept.append(box)
    return kept


def _of_one_height(boxes: list[Box]) -> list[Box]:
    """Keep the boxes about as high as the median one."""
    if not boxes:
        return []
    heights = np.array([box[3] - box[1] for box in boxes])
    ratio = heights / np.median(heights)
    return [box for box, r in zip(boxes, ratio, strict=True) if 1 / _ALIKE <= r <= _ALIKE]


def fitting(form: Sequence[FormField], marks: Sequence[Mark]) -> list[FormField]:
    """Return the fields of a form, or none where many digits stand beside them.

    The loop of a character is not a field, and half a form would hide digits; those above and
    below its rows are headings and the like.
    """
    firm = [mark for mark in marks if mark.score >= _LEAST_SCORE]
    form = [
        field
        for field in form
        if not any(holds(m.box, field.box) and m.side > _HEIGHT * _height(field) for m in firm)
    ]
    digits = [mark for mark in firm if mark.is_digit and any(_is_level(f, mark) for f in form)]
    inside = sum(any(holds(field.box, mark.box) for field in form) for mark in digits)
    return form if len(form) > 1 and inside >= _IN_FIELDS * len(digits) else []


def _height(field: FormField) -> float:
    return field.box[3] - field.box[1]


def _is_level(field: FormField, mark: Mark) -> bool:
    return field.box[1] <= (mark.box[1] + mark.box[3]) / 2 < field.box[3]


def holds(box: Box, other: Box) -> bool:
    """Return whether the middle of another box lies in a box."""
    x, y = (other[0] + other[2]) / 2, (other[1] + other[3]) / 2
    return box[0] <= x < box[2] and box[1] <= y < box[3]
