"""The fields of a form are the rectangles that its lines enclose, row by row."""

from itertools import product

import numpy as np
import pytest
from forms import HEIGHT, LEFT, TOP, WIDTH, box_of, table
from PIL import Image, ImageDraw

from cnn_mnist.reading.fields import FormField, find_fields

PLACES = list(product((1, 2, 3, 4), (1, 2, 3)))


def found(page: Image.Image) -> list[FormField]:
    return find_fields(np.asarray(page))


def assert_is_the_table(fields: list[FormField], tolerance: float = 5) -> None:
    """Assert that all fields of the default table were found where they are."""
    assert [(field.row, field.column) for field in fields] == PLACES
    for field in fields:
        true = box_of(field.row, field.column)
        assert np.abs(np.array(field.box) - true).max() <= tolerance


@pytest.mark.parametrize(
    ("ink", "paper", "pen"),
    [(60, 240, 1), (60, 240, 3), (60, 240, 6), (228, 240, 2), (230, 30, 3)],
    ids=["hairlines", "lines", "bars", "faint", "light on dark"],
)
def test_the_fields_of_a_table_are_found_row_by_row(ink: int, paper: int, pen: int) -> None:
    assert_is_the_table(found(table(ink=ink, paper=paper, pen=pen)), 3 + pen)


def test_what_is_written_in_the_fields_changes_nothing() -> None:
    assert_is_the_table(found(table(sevens=PLACES[::2])))
    loops = table()
    draw = ImageDraw.Draw(loops)
    for row, column in PLACES[1:6]:
        left, top, _, bottom = box_of(row, column)
        draw.ellipse((left + 40, top + 12, left + 90, bottom - 10), outline=20, width=6)
    assert_is_the_table(found(loops))


def test_a_box_in_a_field_is_not_another_field() -> None:
    page = Image.new("L", (900, 600), 240)
    draw = ImageDraw.Draw(page)
    for left, top in product((40, 440), (40, 300)):
        draw.rectangle((left, top, left + 400, top + 260), None, 60, 2)
        draw.rectangle((left + 100, top + 65, left + 300, top + 195), None, 60, 2)
    fields = found(page)
    assert [(field.row, field.column) for field in fields] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert max(fields[0].box[:2]) < 50


@pytest.mark.parametrize("degrees", [-1.5, 1, 2])
def test_a_table_may_be_a_little_askew(degrees: float) -> None:
    askew = table(pen=3).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=240)
    assert_is_the_table(found(askew), 16)


def test_uneven_light_changes_nothing() -> None:
    page = np.asarray(table(), np.float64)
    light = np.linspace(1, 0.4, page.shape[1])
    assert_is_the_table(find_fields((page * light).astype(np.uint8)))


@pytest.mark.parametrize("gap", [6, 12, 25])
def test_a_gap_in_a_line_is_closed(gap: int) -> None:
    page = np.array(table())
    row, column = TOP + HEIGHT, LEFT + WIDTH
    page[row - 4 : row + 5, column + 40 : column + 40 + gap] = 240
    page[row + 30 : row + 30 + gap, column - 4 : column + 5] = 240
    assert_is_the_table(find_fields(page))


def test_the_border_of_the_picture_closes_a_table_that_has_no_outer_lines() -> None:
    inner = table(pen=3).crop((LEFT + 4, TOP + 4, LEFT + 3 * WIDTH - 4, TOP + 4 * HEIGHT - 4))
    fields = found(inner)
    assert [(field.row, field.column) for field in fields] == PLACES
    assert fields[0].box[:2] == (0, 0)
    assert fields[-1].box[2:] == inner.size


def test_columns_may_differ_in_width_and_rows_may_be_shorter() -> None:
    page = Image.new("L", (600, 400), 240)
    draw = ImageDraw.Draw(page)
    for number in range(4):
        draw.rectangle((40, 40 + 80 * number, 540 if number else 400, 120 + 80 * number), None, 60)
    for x in (140, 400):
        draw.line([(x, 40), (x, 360)], 60, 2)
    places = [(field.row, field.column) for field in found(page)]
    assert places == [(1, 1), (1, 2), *product((2, 3, 4), (1, 2, 3))]


def page_without_fields(kind: str) -> Image.Image:
    """Draw a page on which no form is."""
    page = Image.new("L", (600, 400), 240)
    draw = ImageDraw.Draw(page)
    if kind == "ruled":
        for y in range(40, 400, 40):
            draw.line([(0, y), (600, y)], 90, 2)
    elif kind == "one frame":
        draw.rectangle((100, 100, 400, 300), None, 60, 3)
    elif kind == "zeros and eights":
        for x in (60, 200, 340):
            draw.ellipse((x, 40, x + 100, 190), None, 20, 9)
        for x in (200, 340):
            draw.ellipse((x, 186, x + 100, 340), None, 20, 9)
    elif kind == "graph paper":
        for at in range(20, 600, 20):
            draw.line([(at, 0), (at, 400)], 190, 1)
            draw.line([(0, at), (600, at)], 190, 1)
    return page


@pytest.mark.parametrize("kind", ["blank", "ruled", "one frame", "zeros and eights", "graph paper"])
def test_a_page_without_a_form_has_no_fields(kind: str) -> None:
    assert found(page_without_fields(kind)) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 1280), (1280, 1), (2, 2), (300, 5), (28, 28)])
def test_pictures_of_any_size_are_searched(size: tuple[int, int]) -> None:
    assert found(Image.new("L", size, 99)) == []


def test_the_gaps_between_separate_boxes_are_not_fields() -> None:
    page = Image.new("L", (700, 120), 250)
    draw = ImageDraw.Draw(page)
    for left in range(20, 620, 100):
        draw.rectangle((left, 20, left + 70, 100), outline=60, width=2)
    assert [(field.row, field.column) for field in find_fields(np.asarray(page))] == [
        (1, column) for column in range(1, 7)
    ]
