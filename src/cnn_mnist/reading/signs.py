"""Decide which signs belong to a number, and what in a line is text.

A dash or a dot may be dirt: a sign counts where it can stand in a number, a date, a time or a sum.
"""

from collections.abc import Sequence
from typing import Final

from cnn_mnist.reading.finder import Candidate

UNSURE: Final = "it is not surely a digit"
LETTER: Final = "it is a letter"
TEXT: Final = "it stands among letters"
ALONE: Final = "it is a sign that belongs to no number"

_BEFORE_A_DIGIT: Final = "-+"
_AFTER_A_DIGIT: Final = "="
_BETWEEN_DIGITS: Final = ".,:/x-+="


def reasons(line: Sequence[Candidate]) -> list[str | None]:
    """Return why each character of a line is refused; None where it is not.

    A line of more letters than digits is text; a letter among digits is refused alone.
    """
    if sum(c.is_letter for c in line) > sum(c.is_digit for c in line):
        return [LETTER if c.is_letter else TEXT for c in line]
    return [_reason(line, place) for place in range(len(line))]


def _reason(line: Sequence[Candidate], place: int) -> str | None:
    candidate = line[place]
    if candidate.is_letter:
        return LETTER
    if candidate.is_digit:
        return None if candidate.is_sure else UNSURE
    return None if _is_meant(line, place) else ALONE


def _is_meant(line: Sequence[Candidate], place: int) -> bool:
    """Return whether a sign stands where it can stand in a number or a sum."""
    sign = line[place].sign
    if sign is None or not line[place].is_sure:
        return False
    before = place > 0 and line[place - 1].is_digit
    after = place + 1 < len(line) and line[place + 1].is_digit
    return (
        (before and after and sign in _BETWEEN_DIGITS)
        or (after and sign in _BEFORE_A_DIGIT)
        or (before and sign in _AFTER_A_DIGIT)
    )
