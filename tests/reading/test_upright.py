"""A picture that shows more when it is turned is turned; one digit, or what is sure, never is."""

import numpy as np
import pytest
from marks import FakeDetector, mark

from cnn_mnist.reading.detector import Mark
from cnn_mnist.reading.upright import QUARTERS, find_upright, turn, turn_back

PAGE = np.zeros((30, 200), np.uint8)
PAGE[2, 3] = 255  # tells which way it was turned


def row(count: int, score: float, characters: str = "7") -> list[Mark]:
    return [
        mark((30 * n, 5, 30 * n + 20, 35), characters[n % len(characters)], score)
        for n in range(count)
    ]


def column(count: int, score: float) -> list[Mark]:
    return [mark((5, 40 * n, 25, 40 * n + 30), "7", score) for n in range(count)]


def upright(*answers: list[Mark]) -> tuple[list[Mark], int, int]:
    """Return what is found of a picture, its quarter turns, and the number of looks."""
    detector = FakeDetector(*answers)
    marks, quarters = find_upright(detector, PAGE)  # type: ignore[arg-type]
    for quarter, seen in enumerate(detector.seen):
        np.testing.assert_array_equal(seen, np.rot90(PAGE, -quarter))
    return marks, quarters, len(detector.seen)


@pytest.mark.parametrize("quarters", QUARTERS)
def test_a_box_is_turned_back_to_where_it_was(quarters: int) -> None:
    page = np.zeros((50, 80), np.uint8)
    page[10:25, 60:70] = 1
    rows, columns = np.nonzero(turn(page, quarters))
    turned = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert turn_back(turned, quarters, 80, 50) == (60, 10, 70, 25)


def test_a_quarter_turn_is_clockwise() -> None:
    np.testing.assert_array_equal(turn(np.array([[1, 2]], np.uint8), 1), [[1], [2]])
    np.testing.assert_array_equal(turn(np.array([[1], [2]], np.uint8), 1), [[2, 1]])


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_doubtful_picture_that_shows_more_when_turned_is_turned(quarters: int) -> None:
    answers = [row(3, 0.4), row(3, 0.4), row(3, 0.4), row(3, 0.4)]
    answers[quarters] = row(5, 0.9)
    assert upright(*answers) == (answers[quarters], quarters, 4)


def test_a_sure_row_is_not_tried() -> None:
    sure = row(5, 0.9)
    assert upright(sure, row(9, 1)) == (sure, 0, 1)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_digit_or_two_are_never_turned(count: int) -> None:
    few = row(count, 0.4)
    assert upright(few, row(9, 1)) == (few, 0, 1)


def test_a_sure_column_is_tried_but_turned_only_where_that_shows_more() -> None:
    sure = column(5, 0.9)
    assert upright(sure, row(5, 0.9)) == (sure, 0, 4)
    lying = column(5, 0.75)
    assert upright(lying, row(5, 0.95), [], [])[1:] == (1, 4)


def test_a_picture_stays_where_turning_shows_hardly_more_or_no_row_of_digits() -> None:
    doubtful = row(4, 0.5)
    for answer in (row(4, 0.55), column(8, 0.9), row(9, 0.45), row(2, 1), row(8, 1, "-")):
        assert upright(doubtful, answer) == (doubtful, 0, 4)


def test_signs_and_letters_count_neither_for_nor_against() -> None:
    text = [mark((30 * n, 5, 30 * n + 20, 35), "letter", 0.3) for n in range(9)]
    assert upright(text, row(5, 0.9)) == (text, 0, 1)
    mixed = [*text, *row(4, 0.5)]
    assert upright(mixed, row(5, 0.9), [], [])[1] == 1
