"""Decide which of the characters that the detector has found are accepted.

From which score on a character is accepted was chosen on scenes full of things. What stands around
it may ask for more, or let less be enough; where both leave doubts, the rejector has a say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cnn_mnist.reading.detector import Mark

_SURE: Final = 0.7  # the score from which on a digit needs no second opinion
_REFUSED: Final = 0.02  # the rejector's probability of a digit: below, the detector is wrong
_LEAST_EXPECTED: Final = 0.2  # of a digit that is alone, or stands in a row of digits
_ROW: Final = 2  # sure digits
_ALIKE: Final = 1.6  # by which factor the heights of a row differ at most
_MORE_THAN_NEXT: Final = 1.5  # times the score of the next surest: then a character is alone
_LEAST_IN_CLUTTER: Final = 0.7
_CLUTTER: Final = 6  # doubtful characters


@dataclass(frozen=True)
class Acceptance:
    """Which characters of a picture are accepted."""

    sure: frozenset[Mark]
    """Those whose score is enough."""
    expected: frozenset[Mark]
    """Digits that may have a lower score: what is alone in the picture, or stands in a row of
    digits. They need the rejector."""
    doubtful: frozenset[Mark]
    """Digits that the rejector can refuse: without a row to stand in, and not very sure."""
    threshold: float
    """The rejector's: from there on it takes something for a digit."""

    @classmethod
    def of(
        cls,
        marks: Sequence[Mark],
        lines: Sequence[Sequence[Mark]],
        usual: float,
        threshold: float,
    ) -> "Acceptance":
        """Sort the characters of a picture.

        Args:
            marks: surest first.
            lines: the same, line by line.
            usual: the score from which on a digit is accepted, see `Detector.least_score`.
            threshold: see `Acceptance`.
        """
        least = _least_score(marks, usual)
        rows = [line for line in lines if _has_digits(line, least)]
        in_rows = {mark for line in rows for mark in line}
        return cls(
            frozenset(mark for mark in marks if mark.score >= least),
            frozenset([*_alone(marks), *(mark for row in rows for mark in _as_high(row, least))]),
            frozenset(m for m in marks if m.is_digit and m.score < _SURE and m not in in_rows),
            threshold,
        )

    def is_accepted(self, mark: Mark, opinion: float) -> bool:
        """Return whether a character is accepted; the rejector's opinion is in [0, 1]."""
        if mark in self.sure:
            return mark not in self.doubtful or opinion >= _REFUSED
        return mark in self.expected and opinion >= self.threshold


def _least_score(marks: Sequence[Mark], usual: float) -> float:
    """Return the score from which on a character is accepted.

    Where many are doubtful, and most, the picture shows something else than characters.
    """
    doubtful = sum(mark.score < usual for mark in marks)
    is_clutter = doubtful >= _CLUTTER and doubtful > len(marks) / 2
    return _LEAST_IN_CLUTTER if is_clutter else usual


def _alone(marks: Sequence[Mark]) -> list[Mark]:
    """Return the digit that stands out in a picture, if one does.

    Args:
        marks: surest first.
    """
    if not marks or not marks[0].is_digit or marks[0].score < _LEAST_EXPECTED:
        return []
    next_score = marks[1].score if len(marks) > 1 else 0.0
    return [marks[0]] if marks[0].score > _MORE_THAN_NEXT * next_score else []


def _has_digits(line: Sequence[Mark], least: float) -> bool:
    """Return whether a line has several sure digits."""
    return sum(mark.is_digit and mark.score >= least for mark in line) >= _ROW


def _as_high(row: Sequence[Mark], least: float) -> list[Mark]:
    """Return the digits of a row that are about as high as its sure ones.

    Not what seems to be a 1: the line of a form does, too.
    """
    digits = [mark for mark in row if mark.is_digit and mark.score >= _LEAST_EXPECTED]
    heights = [mark.box[3] - mark.box[1] for mark in digits]
    usual = np.median([h for h, mark in zip(heights, digits, strict=True) if mark.score >= least])
    return [
        mark
        for mark, height in zip(digits, heights, strict=True)
        if mark.class_ != 1 and 1 / _ALIKE < height / usual < _ALIKE
    ]
