"""Draw a reading: the picture with its boxes, and each digit's input image and probabilities."""

from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.files import write_png
from cnn_mnist.reading.decode import Picture
from cnn_mnist.reading.result import Digit, Reading

_WIDTH: Final = 960  # of the sheet; all sizes here are in pixels
_MAX_PAGE_HEIGHT: Final = 720
_MAX_SCALE: Final = 8
_COLUMNS: Final = 6
_TILE_WIDTH: Final = _WIDTH // _COLUMNS
_SIDE: Final = 4 * IMAGE_SIZE
_MARGIN: Final = 12
_BAR_STEP: Final = 10  # pixels from one bar to the next
_NAME_WIDTH: Final = 52
_LEAST_SHOWN: Final = 0.01  # smaller probabilities are not printed beside their bars
_INK, _FAINT, _PAPER = "#111111", "#8a8a8a", "#ffffff"
_READ, _REFUSED = "#1f6feb", "#d1242f"
_Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont


def draw_reading(reading: Reading, picture: Picture, path: Path) -> None:
    """Draw a reading as a PNG.

    Args:
        reading: the reading of `picture`.
        picture: the picture that was read.
        path: the file to create or replace.

    Raises:
        ExportError: the file cannot be written.
    """
    page = _draw_page(reading, picture)
    tiles = [_draw_tile(digit) for digit in reading.digits]
    rows = -(-len(tiles) // _COLUMNS)
    tile_height = tiles[0].height if tiles else 0
    sheet = Image.new("RGB", (_WIDTH, page.height + 2 * _MARGIN + rows * tile_height), _PAPER)
    sheet.paste(page, ((_WIDTH - page.width) // 2, _MARGIN))
    for number, tile in enumerate(tiles):
        left, top = number % _COLUMNS * _TILE_WIDTH, number // _COLUMNS * tile_height
        sheet.paste(tile, (left, top + page.height + 2 * _MARGIN))
    write_png(sheet, path)


def _draw_page(reading: Reading, picture: Picture) -> Image.Image:
    """Draw the picture with a box and a class at each digit."""
    page = Image.fromarray(picture.pixels)
    scale = min((_WIDTH - 2 * _MARGIN) / page.width, _MAX_PAGE_HEIGHT / page.height, _MAX_SCALE)
    page = page.resize([max(1, round(side * scale)) for side in page.size])
    draw = ImageDraw.Draw(page)
    scale = page.width / picture.size[0]
    for digit in reading.digits:
        left, top, right, bottom = (round(side * scale) for side in digit.box)
        colour = _colour(digit)
        draw.rectangle((left - 3, top - 3, right + 2, bottom + 2), outline=colour, width=2)
        name = _cut(_name(digit), _TILE_WIDTH, _font(16))
        draw.text((left, top - 4), name, colour, _font(16), anchor="lb")
    return page


def _draw_tile(digit: Digit) -> Image.Image:
    """Draw a digit's input image above a bar for the probability of each class."""
    height = _SIDE + len(digit.probabilities) * _BAR_STEP + 2 * _MARGIN
    tile = Image.new("RGB", (_TILE_WIDTH, height), _PAPER)
    draw = ImageDraw.Draw(tile)
    glyph = Image.fromarray(np.rint(digit.image * 255).astype(np.uint8))
    tile.paste(glyph.resize((_SIDE, _SIDE), Image.Resampling.NEAREST), (_MARGIN, 0))
    beside = _MARGIN + _SIDE + 6
    name = _cut(_name(digit), _TILE_WIDTH - beside, _font(22))
    draw.text((beside, 0), name, _colour(digit), _font(22))
    names = [_cut(name, _NAME_WIDTH, _font(9)) for name in digit.class_names]
    widest = max(_font(9).getlength(name) for name in names)
    start = 2 * _MARGIN + round(max(0, widest - _font(9).getlength("0")))
    length = _TILE_WIDTH - start - 3 * _MARGIN
    for class_, probability in enumerate(digit.probabilities):
        top = _SIDE + 8 + class_ * _BAR_STEP
        draw.text((_MARGIN, top), names[class_], _INK, _font(9))
        bar = (start, top + 2, start + probability * length, top + _BAR_STEP - 3)
        draw.rectangle(bar, fill=_INK)
        if probability >= _LEAST_SHOWN:
            draw.text((bar[2] + 4, top), f"{probability:.0%}", _FAINT, _font(9))
    return tile


def _name(digit: Digit) -> str:
    return digit.name or "?"


def _cut(name: str, width: float, font: _Font) -> str:
    """Return a name, or as much of its start as fits in a width, in pixels."""
    if font.getlength(name) <= width:
        return name
    while name and font.getlength(f"{name}…") > width:
        name = name[:-1]
    return f"{name}…"


def _colour(digit: Digit) -> str:
    return _REFUSED if digit.name is None else _READ


def _font(size: int) -> _Font:
    return ImageFont.load_default(size)
