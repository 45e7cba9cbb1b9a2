"""What was found is put in reading order."""

import random

import pytest
from marks import mark

from cnn_mnist.reading.detector import Mark
from cnn_mnist.reading.lines import add_to_lines, to_lines


def page(*corners: tuple[float, float], height: float = 30) -> list[Mark]:
    """Return characters of 20 x `height` pixels, at their left upper corners."""
    return [mark((x, y, x + 20, y + height)) for x, y in corners]


def check(*lines: list[Mark]) -> None:
    """Assert that these lines are found, in whatever order their characters come."""
    found = [each for line in lines for each in line]
    random.Random(0).shuffle(found)
    assert [[m.box for m in line] for line in to_lines(found)] == [
        [m.box for m in line] for line in lines
    ]


def test_nothing_makes_no_lines() -> None:
    assert to_lines([]) == []


def test_a_row_is_read_from_left_to_right() -> None:
    check(page((10, 50), (40, 56), (70, 44), (100, 50)))


def test_rows_are_read_from_top_to_bottom() -> None:
    check(page((50, 10), (80, 10)), page((10, 60), (40, 60), (70, 60)), page((90, 110)))


@pytest.mark.parametrize("slope", [0.3, -0.3])
def test_a_slanted_row_is_one_row(slope: float) -> None:
    check(page(*((10 + 30 * n, 200 + 30 * slope * n) for n in range(8))))


def test_slanted_rows_stay_apart() -> None:
    first = page(*((10 + 30 * n, 10 + 4 * n) for n in range(8)))
    check(first, page(*((10 + 30 * n, 55 + 4 * n) for n in range(8))))


def test_a_column_is_read_from_top_to_bottom() -> None:
    check(*(page((60 + (-1) ** n * 4, 40 * n)) for n in range(5)))


def test_a_low_sign_belongs_to_the_row_of_its_number() -> None:
    three, point, one = mark((10, 10, 30, 40)), mark((34, 36, 38, 40), "."), mark((42, 10, 52, 40))
    check([three, point, one])


def test_what_stands_beside_two_rows_belongs_to_the_nearer_one() -> None:
    above, below, high = mark((100, 0, 120, 30)), mark((10, 31, 30, 61)), mark((130, 5, 150, 58))
    check([above, high], [below])


def test_far_apart_a_row_must_be_level() -> None:
    check(page((10, 50), (400, 52)))
    check(page((10, 50)), page((400, 65)))
    check(page((10, 50), (60, 65)))


def test_digits_that_jump_up_and_down_are_one_row() -> None:
    check(page((0, 40), (30, 55), (60, 10), (90, 45), (120, 12)))


def test_rows_that_are_staggered_stay_apart() -> None:
    check(page((0, 0), (60, 0), (120, 0)), page((30, 32), (90, 32)))


def test_a_speck_or_a_sign_joins_the_row_and_does_not_break_it() -> None:
    row = page((0, 0), (40, 5), (80, 0))
    below = page((0, 60), (40, 60))
    speck, comma = mark((65, 24, 69, 28), "."), mark((64, 85, 68, 95), ",")
    lines = add_to_lines(to_lines([*row, *below]), [speck, comma])
    assert lines == [[row[0], row[1], speck, row[2]], [*below, comma]]


def test_what_is_level_with_no_row_is_a_row_of_its_own() -> None:
    row, far = page((0, 0), (40, 0)), mark((20, 200, 40, 230))
    assert add_to_lines([row], [far]) == [row, [far]]
    assert add_to_lines([], [far]) == [[far]]
