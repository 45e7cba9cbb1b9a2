"""Turn what was found in a picture upright, where the picture lies on its side or on its head.

A row of digits that is turned looks less like digits: the detector finds fewer, and is less sure.
A picture is tried turned where what it shows is doubtful, and taken so where that shows much more.
A single digit is never turned: a 6 may be a 9.
"""

from typing import Final

import numpy as np

from cnn_mnist.reading.detector import Box, Detector, Mark
from cnn_mnist.reading.grey import Grey
from cnn_mnist.reading.lines import to_lines

QUARTERS: Final = (0, 1, 2, 3)
"""Quarter turns clockwise."""

_LEAST_DIGITS: Final = 3
_SURE: Final = 0.7  # mean score from which on a picture counts as upright
_MORE: Final = 1.3  # times the evidence as it lies: then it is turned
_LEAST_MEAN: Final = 0.5


def find_upright(detector: Detector, grey: Grey) -> tuple[list[Mark], int]:
    """Find the characters of a picture, turned upright.

    Returns:
        The characters, boxes in pixels of the turned picture; and by how many quarter turns
        clockwise it was turned.
    """
    marks = detector.find(grey)
    if not _is_doubtful(marks):
        return marks, 0
    found = [marks, *(detector.find(turn(grey, quarters)) for quarters in QUARTERS[1:])]
    evidence = [_evidence(marks) for marks in found]
    best = int(np.argmax(evidence))
    if evidence[best] > _MORE * evidence[0] and _is_row(found[best]):
        return found[best], best
    return marks, 0


def turn(grey: Grey, quarters: int) -> Grey:
    """Turn a picture by quarter turns clockwise."""
    return np.ascontiguousarray(np.rot90(grey, -quarters))


def turn_back(box: Box, quarters: int, width: float, height: float) -> Box:
    """Return a box of a turned picture as a box of the picture as it was.

    Args:
        box: in the turned picture.
        quarters: quarter turns clockwise that turned it.
        width: of the picture as it was.
        height: of the picture as it was.
    """
    left, top, right, bottom = box
    if quarters == 1:
        return top, height - right, bottom, height - left
    if quarters == 2:
        return width - right, height - bottom, width - left, height - top
    if quarters == 3:
        return width - bottom, left, width - top, right
    return box


def _is_doubtful(marks: list[Mark]) -> bool:
    digits = [mark for mark in marks if mark.is_digit]
    if len(digits) < _LEAST_DIGITS:
        return False
    in_a_column = len(to_lines(digits)) > 0.7 * len(digits)
    return in_a_column or float(np.mean([mark.score for mark in digits])) < _SURE


def _evidence(marks: list[Mark]) -> float:
    return sum(mark.score**2 for mark in marks if mark.is_digit)


def _is_row(marks: list[Mark]) -> bool:
    """Return whether marks are digits, surely enough and more beside than above one another."""
    digits = [mark for mark in marks if mark.is_digit]
    return (
        len(digits) >= _LEAST_DIGITS
        and float(np.mean([mark.score for mark in digits])) >= _LEAST_MEAN
        and len(to_lines(digits)) <= 0.7 * len(digits)
    )
