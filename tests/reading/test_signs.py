"""A sign counts where it can stand in a number or a sum; text is left alone."""

import numpy as np
import pytest

from cnn_mnist.reading.finder import Candidate
from cnn_mnist.reading.signs import ALONE, LETTER, TEXT, UNSURE, reasons


def candidate(character: str) -> Candidate:
    """Make a digit, a sign or a letter; `?` is a digit that is not sure, `~` such a dash."""
    sign = "-" if character == "~" else character
    return Candidate(
        image=np.zeros((28, 28), np.float32),
        box=(0, 0, 9, 9),
        is_sure=character not in "?~",
        sign=sign if sign in ".,-+/:=x" else None,
        is_letter=character in "abc",
    )


def of(text: str) -> list[str | None]:
    """Return the reasons of a line."""
    return reasons([candidate(character) for character in text])


@pytest.mark.parametrize(
    "line", ["3.14", "3,5", "12/05", "12-05-26", "9:45", "-7", "+7", "3x4=12", "5-3=2", "5+3=", "7"]
)
def test_signs_count_in_numbers_dates_times_and_sums(line: str) -> None:
    assert of(line) == [None] * len(line)


@pytest.mark.parametrize("line", ["7.", "7-", "7,", ".7", "=7", "/7", "7x", "7:", ":7"])
def test_a_sign_that_belongs_to_no_number_is_refused(line: str) -> None:
    assert of(line) == [None if character == "7" else ALONE for character in line]


@pytest.mark.parametrize("line", [".", "--", "-.", "=x"])
def test_signs_without_a_digit_are_refused(line: str) -> None:
    assert of(line) == [ALONE] * len(line)


def test_a_sign_that_is_not_sure_is_refused_though_it_stands_between_digits() -> None:
    assert of("5-3") == [None, None, None]
    assert of("5~3") == [None, ALONE, None]


def test_a_digit_that_is_not_sure_is_refused_alone() -> None:
    assert of("4?2") == [None, UNSURE, None]


def test_a_line_of_more_letters_than_digits_is_text() -> None:
    assert of("abc7-") == [LETTER, LETTER, LETTER, TEXT, TEXT]
    assert of("ab") == [LETTER, LETTER]


def test_a_letter_among_digits_is_refused_alone() -> None:
    assert of("7a2b") == [None, LETTER, None, LETTER]
    assert of("12a.5") == [None, None, LETTER, ALONE, None]


def test_an_empty_line_has_no_reasons() -> None:
    assert reasons([]) == []
