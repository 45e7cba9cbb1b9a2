"""Levels of any depth, and strokes on a transparent ground, become dark on light or the reverse."""

import tracemalloc

import cv2
import numpy as np
import pytest
from drawings import SEVEN, drawing, encoded, png_16_bit
from PIL import Image

from cnn_mnist.reading.decode import decode
from cnn_mnist.reading.levels import to_rgb
from cnn_mnist.reading.reader import read

GREY = np.asarray(SEVEN)


def of_depth(bits: int) -> np.ndarray:
    """Return the 7 in 16-bit levels of which `bits` are used."""
    return (GREY.astype(np.uint32) * ((1 << bits) - 1) // 255).astype(np.uint16)


@pytest.mark.parametrize("bits", range(8, 17))
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_of_16_bits_is_read_by_the_bits_that_it_uses(bits: int, kind: str) -> None:
    content = encoded(Image.fromarray(of_depth(bits)), kind)
    assert np.abs(decode(content).pixels[..., 0].astype(int) - GREY).max() <= 1
    assert read(content).text == "7"


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("channels", [2, 3, 4])
def test_colours_of_16_bits_are_read_by_the_bits_that_they_use(bits: int, channels: int) -> None:
    values = np.stack([of_depth(bits)] * channels, axis=2)
    if channels % 2 == 0:
        values[..., -1] = (1 << bits) - 1  # opaque
    content = png_16_bit(values)
    assert np.abs(decode(content).pixels[..., 0].astype(int) - GREY).max() <= 1
    assert read(content).text == "7"


def test_the_colours_of_a_12_bit_tiff_are_kept() -> None:
    red = np.dstack([GREY * 0 + 255, GREY, GREY]).astype(np.uint16) * 16
    _, content = cv2.imencode(".tif", red[..., ::-1])
    pixels = decode(content.tobytes()).pixels
    assert np.abs(pixels.astype(int) - red // 16).max() <= 1


# --- strokes on a transparent ground


def strokes(colour: tuple[int, int, int], strength: int = 255) -> Image.Image:
    alpha = Image.fromarray(np.where(GREY == 30, strength, 0).astype(np.uint8))
    image = Image.new("RGBA", SEVEN.size, (*colour, 0))
    image.paste(colour, mask=alpha)
    image.putalpha(alpha)
    return image


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize("strength", [255, 120])
@pytest.mark.parametrize(
    "colour", [(255, 255, 255), (240, 240, 240), (0, 0, 0), (255, 255, 0), (120, 160, 230)]
)
def test_strokes_of_any_colour_are_read_on_a_transparent_ground(
    colour: tuple[int, int, int], strength: int, mode: str
) -> None:
    image = strokes(colour, strength)
    content = encoded(image.quantize() if mode == "P" else image.convert(mode))
    assert read(content).text == "7"


def test_paper_cut_out_on_a_transparent_ground_stays_dark_on_white() -> None:
    page = SEVEN.convert("RGBA")
    wide = Image.new("RGBA", (120, 100), (0, 0, 0, 0))
    wide.paste(page, (30, 25))
    assert (decode(encoded(wide)).pixels[0, 0] == 255).all()
    assert read(encoded(wide)).text == "7"


def test_an_image_without_any_visible_pixel_is_white() -> None:
    assert (decode(encoded(Image.new("RGBA", (30, 30), (9, 9, 9, 0)))).pixels == 255).all()


# --- large images


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16", "CMYK"])
def test_a_large_image_of_any_mode_is_reduced_as_a_small_one_is_drawn(mode: str) -> None:
    large = drawing((6000, 5000), at=(2000, 800), scale=100)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(large).astype(np.uint16) * 257)
    else:
        image = large.convert("RGB" if mode == "CMYK" else "L").convert(mode)
    small = to_rgb(image, 300)
    assert small.size == (600, 500)
    whole = image.convert("L") if mode == "1" else large
    expected = np.asarray(whole.resize((600, 500), Image.Resampling.BOX)).astype(int)
    assert np.abs(np.asarray(small.convert("L")).astype(int) - expected).max() <= 2


def test_reducing_holds_little_more_than_the_result() -> None:
    image = Image.new("I;16", (6000, 6000), 500)
    tracemalloc.start()
    to_rgb(image, 300)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6000 * 6000  # NumPy's: half of the image's own bytes would be a copy of it


def test_a_nearly_square_jpeg_keeps_its_width_and_height() -> None:
    for size in ((3000, 2999), (2999, 3000), (2561, 2560), (1281, 1280)):
        assert decode(encoded(Image.new("RGB", size), "JPEG")).size == size
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(Image.new("RGB", (3000, 2999)), "JPEG", exif=exif)
    assert decode(content).size == (2999, 3000)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_counts_in_every_format(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("PNG", "JPEG", "WEBP", "TIFF", "AVIF"):
        picture = decode(encoded(SEVEN.convert("RGB"), kind, exif=exif))
        assert picture.size == ((50, 60) if orientation > 4 else (60, 50))
        assert picture.pixels.shape[:2] == picture.size[::-1]
