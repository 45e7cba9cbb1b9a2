"""A thick digit that is cropped to its outline is read as on a larger page."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cnn_mnist.reading.margin import add_margin
from cnn_mnist.reading.reader import read


def thick(digit: str) -> Image.Image:
    """Draw a digit with a thick pen, dark on white, cropped to its outline."""
    page = Image.new("L", (300, 300), 255)
    draw = ImageDraw.Draw(page)
    if digit == "0":
        draw.ellipse((90, 60, 210, 240), outline=0, width=42)
    elif digit == "7":
        draw.line([(80, 80), (210, 80), (140, 240)], 0, 46, joint="curve")
    else:
        for top in (50, 130):
            draw.ellipse((95, top, 205, top + 110), outline=0, width=36)
    ink = np.argwhere(np.asarray(page) == 0)
    (top, left), (bottom, right) = ink.min(axis=0), ink.max(axis=0) + 1
    return page.crop((int(left), int(top), int(right), int(bottom)))


@pytest.mark.parametrize("size", [28, 150, 500])
@pytest.mark.parametrize("digit", ["0", "7", "8"])
@pytest.mark.parametrize("inverted", [False, True])
def test_a_thick_digit_cropped_to_its_outline_is_read(
    digit: str, inverted: bool, size: int
) -> None:
    image = thick(digit)
    share = (np.asarray(image) == 0).mean()
    assert share > 0.4
    image.thumbnail((size, size))
    if size > 150:
        image = image.resize([side * size // max(image.size) for side in image.size])
    pixels = np.asarray(image)
    reading = read(255 - pixels if inverted else pixels)
    assert reading.text == digit
    left, top, right, bottom = reading.digits[0].box
    assert 0 <= left <= right <= image.width
    assert 0 <= top <= bottom <= image.height
    assert right - left >= 0.8 * image.width


def test_a_picture_with_room_around_its_digit_gets_no_margin() -> None:
    page = np.pad(np.asarray(thick("8")), 30, constant_values=255)
    assert add_margin(np.stack([page] * 3, axis=2))[1] == 0


def test_a_shaded_photograph_gets_no_margin() -> None:
    x, y = np.meshgrid(np.linspace(0, 255, 200), np.linspace(0, 1, 150))
    assert add_margin(np.stack([x * y] * 3, axis=2).astype(np.uint8))[1] == 0
