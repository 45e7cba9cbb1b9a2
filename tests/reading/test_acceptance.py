"""From which score on a character is accepted depends on what stands around it."""

import pytest
from marks import mark

from cnn_mnist.reading.acceptance import Acceptance
from cnn_mnist.reading.detector import Mark
from cnn_mnist.reading.lines import to_lines

USUAL, THRESHOLD = 0.5, 0.3


def row(*scores: float, character: str = "7", height: float = 50) -> list[Mark]:
    """Return digits side by side, surest first."""
    places = sorted(enumerate(scores), key=lambda pair: -pair[1])
    return [mark((40 * n, 10, 40 * n + 30, 10 + height), character, s) for n, s in places]


def of(marks: list[Mark]) -> Acceptance:
    return Acceptance.of(marks, to_lines(marks), USUAL, THRESHOLD)


def test_what_has_the_usual_score_is_sure() -> None:
    marks = row(0.9, 0.6, 0.4)
    assert of(marks).sure == set(marks[:2])
    assert of([]) == Acceptance(frozenset(), frozenset(), frozenset(), THRESHOLD)


def test_among_mostly_doubtful_characters_a_digit_is_accepted_later() -> None:
    marks = row(0.9, 0.6, *[0.35] * 5)
    assert of(marks).sure == set(marks[:2])
    marks = row(0.9, 0.6, *[0.35] * 6)
    assert of(marks).sure == set(marks[:1])


@pytest.mark.parametrize(
    ("scores", "expected"), [((0.35,), 1), ((0.16,), 0), ((0.35, 0.2), 1), ((0.35, 0.3), 0)]
)
def test_a_digit_that_stands_out_is_expected(scores: tuple[float, ...], expected: int) -> None:
    marks = row(*scores)
    assert of(marks).expected == set(marks[:expected])


def test_a_letter_that_stands_out_is_not_expected() -> None:
    assert of([mark((0, 0, 30, 50), "letter", 0.35)]).expected == frozenset()


def test_in_a_row_of_sure_digits_one_of_their_height_is_expected() -> None:
    marks = row(0.9, 0.8, 0.3)
    assert marks[2] in of(marks).expected
    low = mark((120, 40, 150, 60), "7", 0.3)
    assert low not in of([*row(0.9, 0.8), low]).expected
    marks = row(0.9, 0.4, 0.3)  # one sure digit is no row
    assert marks[2] not in of(marks).expected


def test_what_seems_to_be_a_1_in_a_row_may_be_a_line() -> None:
    line = mark((120, 10, 130, 60), "1", 0.3)
    assert line not in of([*row(0.9, 0.8), line]).expected


def test_digits_without_a_row_are_doubtful_unless_they_are_very_sure() -> None:
    (alone,) = row(0.6)
    assert of([alone]).doubtful == {alone}
    (sure,) = row(0.8)
    assert of([sure]).doubtful == frozenset()
    assert of(row(0.6, 0.6)).doubtful == frozenset()


def test_the_rejector_decides_where_there_are_doubts() -> None:
    def accepted(*scores: float, opinion: float) -> list[bool]:
        marks = row(*scores)
        return [of(marks).is_accepted(each, opinion) for each in marks]

    assert accepted(0.8, opinion=0) == [True]
    assert accepted(0.6, opinion=0.1) == [True]  # it is not sure that it is not a digit
    assert accepted(0.6, opinion=0.01) == [False]
    assert accepted(0.3, opinion=0.4) == [True]
    assert accepted(0.3, opinion=0.2) == [False]
    assert accepted(0.9, 0.8, 0.3, opinion=0.4) == [True] * 3
    assert accepted(0.9, 0.8, 0.3, opinion=0.2) == [True, True, False]
