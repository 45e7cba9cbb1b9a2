"""Draw tables of digits, as the tests of several wings need them."""

from collections.abc import Iterable

from PIL import Image, ImageDraw

LEFT, TOP, WIDTH, HEIGHT = 60, 40, 150, 80
"""Where the table begins, and a field's size, in pixels."""


def table(
    rows: int = 4,
    columns: int = 3,
    *,
    ink: int = 60,
    paper: int = 240,
    pen: int = 2,
    sevens: Iterable[tuple[int, int]] = (),
) -> Image.Image:
    """Draw a table on a page, with a 7 in some of its fields.

    Args:
        rows: of the table.
        columns: of the table.
        ink: the lines' level.
        paper: the page's level.
        pen: width of the lines, in pixels.
        sevens: row and column, from 1, of the fields in which a 7 stands.
    """
    width, height = columns * WIDTH, rows * HEIGHT
    page = Image.new("L", (width + 2 * LEFT, height + 2 * TOP), paper)
    draw = ImageDraw.Draw(page)
    for y in range(TOP, TOP + height + 1, HEIGHT):
        draw.line([(LEFT, y), (LEFT + width, y)], ink, pen)
    for x in range(LEFT, LEFT + width + 1, WIDTH):
        draw.line([(x, TOP), (x, TOP + height)], ink, pen)
    for row, column in sevens:
        x, y = LEFT + (column - 1) * WIDTH + 58, TOP + (row - 1) * HEIGHT + 14
        draw.line([(x, y), (x + 32, y), (x + 10, y + 52)], ink, 6, "curve")
    return page


def box_of(row: int, column: int) -> tuple[int, int, int, int]:
    """Return the box of a field of the table."""
    left, top = LEFT + (column - 1) * WIDTH, TOP + (row - 1) * HEIGHT
    return left, top, left + WIDTH, top + HEIGHT
