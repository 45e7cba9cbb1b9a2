"""From any picture to the digit in it: every format, every damage, MNIST's own form."""

import re
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cnn_mnist import image as room
from cnn_mnist.data import idx
from cnn_mnist.errors import ImageError
from cnn_mnist.image import BOX, SIZE, SUFFIXES, decode, find_digits


def drawing(
    size: tuple[int, int] = (60, 50), at: tuple[int, int] = (20, 8), scale: float = 1.0
) -> Image.Image:
    """A dark 7 on a white page, its upper left corner at `at`."""
    page = Image.new("L", size, 255)
    line = [(0, 0), (18, 0), (6, 30)]
    moved = [(at[0] + x * scale, at[1] + y * scale) for x, y in line]
    ImageDraw.Draw(page).line(moved, fill=30, width=max(1, round(4 * scale)), joint="curve")
    return page


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


SEVEN = drawing()
GREY = np.asarray(SEVEN)


def with_alpha(mode: str) -> Image.Image:
    """Dark ink whose ground is transparent, and black below its transparency."""
    ink = Image.new("L", SEVEN.size, 30)
    alpha = Image.fromarray(np.where(GREY == 30, 255, 0).astype(np.uint8))
    bands = [ink.point(lambda level: level) for _ in mode[:-1]]
    picture = Image.merge(mode, [*bands, alpha])
    black = Image.new(mode, SEVEN.size, (0,) * len(mode))
    return Image.composite(picture, black, alpha)


def with_transparent_palette() -> bytes:
    """Palette colour 0 is black and transparent, colour 1 is the ink."""
    picture = Image.fromarray((GREY == 30).astype(np.uint8)).convert("P")
    picture.putpalette([0, 0, 0, 30, 30, 30])
    return encoded(picture, "PNG", transparency=0)


def turned(degrees: int, orientation: int) -> bytes:
    """Stored lying, with EXIF's word on how to put it upright."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(SEVEN.rotate(degrees, expand=True), "PNG", exif=exif)


FORMS: dict[str, Callable[[], bytes]] = {
    "PNG grey": lambda: encoded(SEVEN),
    "PNG RGB": lambda: encoded(SEVEN.convert("RGB")),
    "PNG palette": lambda: encoded(SEVEN.convert("P")),
    "PNG 16 bit": lambda: encoded(Image.fromarray(GREY.astype(np.uint16) * 257)),
    "PNG grey, transparent ground": lambda: encoded(with_alpha("LA")),
    "PNG RGB, transparent ground": lambda: encoded(with_alpha("RGBA")),
    "PNG palette, transparent ground": with_transparent_palette,
    "PNG EXIF 3": lambda: turned(180, 3),
    "PNG EXIF 6": lambda: turned(90, 6),
    "PNG EXIF 8": lambda: turned(270, 8),
    "BMP": lambda: encoded(SEVEN, "BMP"),
    "GIF": lambda: encoded(SEVEN, "GIF"),
    "GIF animated": lambda: encoded(
        SEVEN, "GIF", save_all=True, append_images=[Image.new("L", SEVEN.size)]
    ),
    "WebP": lambda: encoded(SEVEN.convert("RGB"), "WEBP", lossless=True),
    "WebP, transparent ground": lambda: encoded(with_alpha("RGBA"), "WEBP", lossless=True),
    "TIFF": lambda: encoded(SEVEN, "TIFF"),
    "TIFF LZW": lambda: encoded(SEVEN.convert("RGB"), "TIFF", compression="tiff_lzw"),
    "TIFF 16 bit": lambda: encoded(Image.fromarray(GREY.astype(np.uint16) * 257), "TIFF"),
    "JPEG": lambda: encoded(SEVEN, "JPEG", quality=95),
    "JPEG progressive": lambda: encoded(SEVEN, "JPEG", quality=95, progressive=True),
    "JPEG CMYK": lambda: encoded(SEVEN.convert("CMYK"), "JPEG", quality=95),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_picture_is_decoded_to_the_same_grey_upright_on_white(form: str) -> None:
    grey = decode(FORMS[form]())
    assert grey.dtype == np.uint8
    assert grey.shape == GREY.shape
    difference = np.abs(grey.astype(int) - GREY)
    if "transparent" in form:  # a smooth edge would be mixed with white
        difference = difference[(GREY == 30) | (GREY == 255)]
    # JPEG and colour-to-grey round; JPEG also rings at edges
    assert difference.max() <= (40 if "JPEG" in form else 1)
    assert difference.mean() <= (3 if "JPEG" in form else 0.5)


@pytest.mark.parametrize("form", ["PNG 1 bit", "TIFF fax", "BMP 1 bit", "TIFF float"])
def test_pictures_of_two_levels_or_of_any_range_are_brought_to_black_and_white(form: str) -> None:
    two_levels = SEVEN.convert("1", dither=Image.Dither.NONE)
    content = {
        "PNG 1 bit": lambda: encoded(two_levels),
        "TIFF fax": lambda: encoded(two_levels, "TIFF", compression="group4"),
        "BMP 1 bit": lambda: encoded(two_levels, "BMP"),
        "TIFF float": lambda: encoded(
            Image.fromarray(np.asarray(two_levels).astype(np.float32) * 7 - 3), "TIFF"
        ),
    }[form]()
    np.testing.assert_array_equal(decode(content), np.asarray(two_levels) * np.uint8(255))


def test_a_file_and_its_bytes_are_the_same_picture(tmp_path: Path) -> None:
    path = tmp_path / "seven.png"
    path.write_bytes(encoded(SEVEN))
    np.testing.assert_array_equal(decode(path), decode(path.read_bytes()))


def test_a_picture_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "seven.txt"
    path.write_bytes(encoded(SEVEN, "BMP"))
    np.testing.assert_array_equal(decode(path), GREY)


def test_every_suffix_is_one_of_a_format_that_is_decoded() -> None:
    formats = Image.registered_extensions()
    assert {formats[suffix] for suffix in SUFFIXES} <= set(room.FORMATS)


def huge(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims these dimensions."""
    chunks = [
        (b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0")),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no picture: expected PNG, JPEG, BMP, GIF, WEBP, TIFF"),
        (b"This is a text.\n", "no picture"),
        (b"%PDF-1.7\n", "no picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture"),
        (encoded(SEVEN)[:150], "cannot be read|damaged"),
        (encoded(SEVEN, "JPEG")[:400], "cannot be read|damaged"),
        (huge(60_000, 60_000), "too many pixels: at most 100,000,000 fit"),
        (huge(11_000, 10_000), "11000x10000: at most 100,000,000 pixels fit"),
    ],
    ids=["empty", "text", "PDF", "EPS", "cut PNG", "cut JPEG", "bomb", "too large"],
)
def test_what_is_no_whole_picture_is_refused_by_name_and_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=f"{re.escape(str(path))} .*({reason})"):
        decode(path)
    with pytest.raises(ImageError, match=f"^the picture .*({reason})"):
        decode(content)


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.png", tmp_path):
        with pytest.raises(ImageError, match=f"{re.escape(str(path))} cannot be read"):
            decode(path)


def test_a_file_too_large_to_hold_is_refused_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_FILE_BYTES", 100)
    with pytest.raises(ImageError, match="at most 100 fit"):
        decode(encoded(SEVEN))


@pytest.mark.parametrize("form", ["PNG EXIF 6", "BMP", "GIF", "WebP", "TIFF LZW", "JPEG"])
def test_damage_anywhere_gives_a_picture_or_a_refusal_and_nothing_else(form: str) -> None:
    whole = FORMS[form]()
    for place in range(0, len(whole), max(1, len(whole) // 400)):
        changed = whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]
        for content in (changed, whole[:place]):
            with suppress(ImageError):
                find_digits(decode(content))


def test_exif_of_the_wrong_kind_is_refused() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "abc"  # the camera's maker, a text ...
    content = encoded(SEVEN, "JPEG", exif=exif)
    damaged = content.replace(b"\x01\x0f\x00\x02", b"\x01\x01\x00\x02")  # ... as the height
    assert damaged != content
    with pytest.raises(ImageError, match="the picture is damaged"):
        decode(damaged)


def only(grey: np.ndarray) -> room.Glyph:
    """The one digit of a picture."""
    (glyph,) = find_digits(grey)
    return glyph


def bounds(image: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what has ink."""
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


@pytest.mark.parametrize("level", [0, 100, 255])
@pytest.mark.parametrize("shape", [(1, 1), (28, 28), (200, 100)])
def test_a_blank_page_has_no_digit(level: int, shape: tuple[int, int]) -> None:
    assert find_digits(np.full(shape, level, np.uint8)) == []


def test_the_grain_of_paper_is_no_digit() -> None:
    grain = np.random.default_rng(0).integers(240, 255, (100, 100), dtype=np.uint8)
    assert find_digits(grain) == []


def test_dark_on_light_and_light_on_dark_are_the_same_digit() -> None:
    dark, light = only(GREY), only(255 - GREY)
    np.testing.assert_allclose(dark.image, light.image, atol=1e-6)
    assert dark.box == light.box


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (90, 200), (200, 90), (120, 140)])
def test_faint_and_strong_ink_are_the_same_digit(ink: int, paper: int) -> None:
    grey = np.where(GREY == 30, ink, paper).astype(np.uint8)
    np.testing.assert_allclose(only(grey).image, only(GREY).image, atol=1e-6)


def test_a_digit_is_the_same_wherever_it_lies() -> None:
    corner = only(np.asarray(drawing((300, 200), at=(270, 160))))
    np.testing.assert_allclose(corner.image, only(GREY).image, atol=1e-6)


def test_a_digit_is_nearly_the_same_at_any_size() -> None:
    large = only(np.asarray(drawing((600, 500), at=(200, 80), scale=10)))
    assert np.abs(large.image - only(GREY).image).mean() < 0.03


def test_the_box_is_the_ink_in_pixels_of_the_picture() -> None:
    page = np.full((50, 90), 255, np.uint8)
    page[10:31, 40:47] = 0
    assert only(page).box == (40, 10, 47, 31)


RECTANGLES = [(1, 1), (5, 5), (20, 20), (40, 20), (20, 40), (200, 7), (7, 200), (1, 300), (33, 30)]


@pytest.mark.parametrize(("height", "width"), RECTANGLES)
def test_the_longest_side_becomes_20_and_the_aspect_is_kept(height: int, width: int) -> None:
    page = np.full((400, 400), 255, np.uint8)
    page[50 : 50 + height, 60 : 60 + width] = 0
    left, top, right, bottom = bounds(only(page).image)
    assert max(right - left, bottom - top) == BOX
    for side, original in ((bottom - top, height), (right - left, width)):
        assert side == max(1, round(original * BOX / max(height, width)))


LOPSIDED = {
    "seven": GREY,
    "flag": np.asarray(Image.new("L", (60, 90), 255)).copy(),
    "foot": np.asarray(Image.new("L", (60, 90), 255)).copy(),
}
LOPSIDED["flag"][5:80, 10:20] = LOPSIDED["flag"][5:20, 10:50] = 0
LOPSIDED["foot"][5:80, 40:50] = LOPSIDED["foot"][65:80, 10:50] = 0


@pytest.mark.parametrize("name", LOPSIDED)
@pytest.mark.parametrize("axis", [0, 1])
def test_the_centre_of_mass_lies_where_mnist_has_it(name: str, axis: int) -> None:
    mass = only(LOPSIDED[name]).image.sum(axis=1 - axis, dtype=np.float64)
    centre = mass @ (np.arange(SIZE) + 0.5) / mass.sum()
    assert abs(centre - 14.5) <= 0.5 + 1e-6


def test_a_digit_is_in_mnists_form() -> None:
    image = only(GREY).image
    assert (image.shape, image.dtype) == ((28, 28), np.float32)
    assert image.min() == 0
    assert 0.9 < image.max() <= 1


def test_a_box_and_an_image_are_of_the_picture_upright() -> None:
    upright = only(decode(turned(0, 1)))
    for degrees, orientation in ((180, 3), (90, 6), (270, 8)):
        glyph = only(decode(turned(degrees, orientation)))
        assert glyph.box == upright.box
        np.testing.assert_array_equal(glyph.image, upright.image)


@pytest.mark.mnist
def test_mnist_itself_goes_through_almost_unchanged(mnist_dir: Path) -> None:
    images = idx.read(mnist_dir / "mnist" / "t10k-images-idx3-ubyte.gz")[:500]
    found = np.stack([only(decode(encoded(Image.fromarray(image)))).image for image in images])
    levels = np.rint(found * 255)
    # what differs: faint edge pixels that are cut off, ink whose darkest is not 255
    assert (levels == images).all(axis=(1, 2)).mean() >= 0.65
    assert (levels == images).mean() >= 0.97
    assert np.abs(found - images / 255).mean() <= 0.001
