"""From a file to pixels: every format, damage of every kind."""

import importlib.util
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

from cnn_mnist.errors import ImageError
from cnn_mnist.reading import decode as decode_module
from cnn_mnist.reading.decode import SUFFIXES, decode


def drawing(
    size: tuple[int, int] = (60, 50), at: tuple[int, int] = (20, 8), scale: float = 1.0
) -> Image.Image:
    """Draw a dark 7 on a white page, its upper left corner at `at`."""
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
    """Return dark ink on a transparent ground whose hidden colour is black."""
    ink = Image.new("L", SEVEN.size, 30)
    alpha = Image.fromarray(np.where(GREY == 30, 255, 0).astype(np.uint8))
    bands = [ink.point(lambda level: level) for _ in mode[:-1]]
    picture = Image.merge(mode, [*bands, alpha])
    black = Image.new(mode, SEVEN.size, (0,) * len(mode))
    return Image.composite(picture, black, alpha)


def with_transparent_palette() -> bytes:
    """Return a PNG in which palette colour 0 is black and transparent, and colour 1 is the ink."""
    picture = Image.fromarray((GREY == 30).astype(np.uint8)).convert("P")
    picture.putpalette([0, 0, 0, 30, 30, 30])
    return encoded(picture, "PNG", transparency=0)


def turned(degrees: int, orientation: int) -> bytes:
    """Return a PNG that is stored turned, with the EXIF orientation that puts it upright."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(SEVEN.rotate(degrees, expand=True), "PNG", exif=exif)


def grey_of(picture: Path | bytes) -> np.ndarray:
    """Return one channel of a grey picture's pixels."""
    pixels = decode(picture).pixels
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3
    return pixels[..., 1]


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
def test_every_format_is_decoded_to_the_same_grey_upright_on_white(form: str) -> None:
    grey = grey_of(FORMS[form]())
    assert grey.shape == GREY.shape
    difference = np.abs(grey.astype(int) - GREY)
    if "transparent" in form:  # a smooth edge would be mixed with white
        difference = difference[(GREY == 30) | (GREY == 255)]
    # JPEG and colour-to-grey round; JPEG also rings at edges
    assert difference.max() <= (40 if "JPEG" in form else 1)
    assert difference.mean() <= (3 if "JPEG" in form else 0.5)


@pytest.mark.parametrize("form", ["PNG 1 bit", "TIFF fax", "BMP 1 bit", "TIFF float"])
def test_pictures_of_two_levels_are_decoded_to_black_and_white(form: str) -> None:
    two_levels = SEVEN.convert("1", dither=Image.Dither.NONE)
    content = {
        "PNG 1 bit": lambda: encoded(two_levels),
        "TIFF fax": lambda: encoded(two_levels, "TIFF", compression="group4"),
        "BMP 1 bit": lambda: encoded(two_levels, "BMP"),
        "TIFF float": lambda: encoded(
            Image.fromarray(np.asarray(two_levels).astype(np.float32) * 7 - 3), "TIFF"
        ),
    }[form]()
    np.testing.assert_array_equal(grey_of(content), np.asarray(two_levels) * np.uint8(255))


def test_a_file_and_its_bytes_give_the_same_picture(tmp_path: Path) -> None:
    path = tmp_path / "seven.png"
    path.write_bytes(encoded(SEVEN))
    np.testing.assert_array_equal(grey_of(path), grey_of(path.read_bytes()))


def test_the_format_is_detected_by_content_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "seven.txt"
    path.write_bytes(encoded(SEVEN, "BMP"))
    np.testing.assert_array_equal(grey_of(path), GREY)


def test_every_suffix_belongs_to_a_supported_format() -> None:
    formats = Image.registered_extensions()
    assert {formats[suffix] for suffix in SUFFIXES} <= set(decode_module.FORMATS)


def huge(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes whose header announces these dimensions."""
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
        (b"", "is not an image: expected PNG, JPEG, BMP, GIF, WEBP, TIFF"),
        (b"This is a text.\n", "is not an image"),
        (b"%PDF-1.7\n", "is not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not an image"),
        (encoded(SEVEN)[:150], "cannot be read|damaged"),
        (encoded(SEVEN, "JPEG")[:400], "cannot be read|damaged"),
        (huge(60_000, 60_000), "too many pixels: the limit is 100,000,000"),
        (huge(11_000, 10_000), "11000x10000 pixels: the limit is 100,000,000"),
    ],
    ids=["empty", "text", "PDF", "EPS", "cut PNG", "cut JPEG", "bomb", "too large"],
)
def test_a_file_that_is_not_a_whole_image_is_refused_by_name_and_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=f"{re.escape(str(path))} .*({reason})"):
        decode(path)
    with pytest.raises(ImageError, match=f"^the input .*({reason})"):
        decode(content)


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.png", tmp_path):
        with pytest.raises(ImageError, match=f"{re.escape(str(path))} cannot be read"):
            decode(path)


def test_a_file_with_too_many_bytes_is_refused_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_module, "MAX_FILE_BYTES", 100)
    with pytest.raises(ImageError, match="bytes: the limit is 100"):
        decode(encoded(SEVEN))


@pytest.mark.parametrize("form", ["PNG EXIF 6", "BMP", "GIF", "WebP", "TIFF LZW", "JPEG"])
def test_damage_anywhere_gives_a_picture_or_an_image_error(form: str) -> None:
    whole = FORMS[form]()
    for place in range(0, len(whole), max(1, len(whole) // 400)):
        changed = whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]
        for content in (changed, whole[:place]):
            with suppress(ImageError):
                assert decode(content).pixels.size


def test_exif_of_the_wrong_kind_is_refused() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "abc"  # the camera's maker, a text ...
    content = encoded(SEVEN, "JPEG", exif=exif)
    damaged = content.replace(b"\x01\x0f\x00\x02", b"\x01\x01\x00\x02")  # ... as the height
    assert damaged != content
    with pytest.raises(ImageError, match="the input is damaged"):
        decode(damaged)


def noisy(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_large_picture_is_reduced_and_keeps_its_original_size(kind: str) -> None:
    picture = decode(encoded(noisy(3000, 1500), kind))
    assert picture.size == (3000, 1500)
    assert picture.pixels.shape == (640, 1280, 3)


def test_the_original_size_is_that_of_the_upright_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = decode(encoded(noisy(1500, 3000), "JPEG", exif=exif))
    assert picture.size == (3000, 1500)
    assert picture.pixels.shape == (640, 1280, 3)


@pytest.mark.parametrize("size", [(1, 1), (1, 100_000), (100_000, 1)])
def test_pictures_of_one_pixel_or_one_line_are_decoded(
    size: tuple[int, int],
) -> None:
    picture = decode(encoded(Image.new("L", size, 200)))
    assert max(picture.pixels.shape) <= decode_module.MAX_SIDE
    assert picture.size == size


@pytest.mark.timeout(120)
def test_damaged_files_neither_crash_nor_hang() -> None:
    result = fuzzer().run(400, first=1_000_000)
    assert result["crashed"] == result["hung"] == 0
    assert result["decoded"] > 40


def fuzzer() -> Any:
    """Import the program that does the same with 100,000 files."""
    path = Path(__file__).parents[2] / "fuzz" / "pictures.py"
    spec = importlib.util.spec_from_file_location("fuzz_pictures", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
