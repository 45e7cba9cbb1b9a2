"""Every page and frame of a file is read; HEIC and PDF need an extra, and say so."""

import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawings import SEVEN, drawing, encoded
from PIL import Image

from cnn_mnist.errors import ImageError
from cnn_mnist.reading.decode import decode, pages
from cnn_mnist.reading.reader import read

BLANK = Image.new("L", SEVEN.size, 255)
LATER = drawing(at=(30, 10))
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)


def together(kind: str, *images: Image.Image, **options: Any) -> bytes:
    first, *others = (image.convert("RGB") for image in images)
    options |= {"lossless": True} if kind == "WEBP" else {}
    return encoded(first, kind, save_all=True, append_images=others, **options)


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "PNG", "WEBP", "AVIF"])
def test_every_page_and_frame_is_decoded_with_its_number(kind: str) -> None:
    found = list(pages(together(kind, SEVEN, BLANK, LATER)))
    assert [page.page for page in found] == [1, 2, 3]
    assert [read(page).text for page in found] == ["7", "", "7"]
    assert read(found[2]).page == read(found[2]).to_dict()["page"] == 3


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "PNG", "WEBP", "AVIF"])
def test_a_blank_first_frame_is_passed_over(kind: str) -> None:
    reading = read(together(kind, BLANK, SEVEN))
    assert (reading.text, reading.page) == ("7", 2)


def test_a_file_of_blank_pages_holds_no_digit() -> None:
    reading = read(together("TIFF", BLANK, BLANK))
    assert (reading.text, reading.page) == ("", 1)


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "PNG", "JPEG", "BMP"])
def test_the_only_picture_of_a_file_has_no_number(kind: str) -> None:
    (picture,) = pages(encoded(SEVEN.convert("RGB"), kind))
    assert picture.page is None
    assert "page" not in read(picture).to_dict()


def test_the_preview_in_a_phones_jpeg_is_not_a_page() -> None:
    content = together("MPO", SEVEN, SEVEN.resize((30, 25)))
    (picture,) = pages(content)
    assert picture.page is None


def test_the_smaller_copy_in_a_tiff_is_not_a_page() -> None:
    stream = BytesIO()
    small = SEVEN.resize((30, 25))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    SEVEN.save(stream, "TIFF", save_all=True, append_images=[small])
    assert [page.size for page in pages(stream.getvalue())] == [SEVEN.size]


def test_the_pages_before_a_damaged_one_are_read() -> None:
    content = together("TIFF", SEVEN, LATER, compression="tiff_lzw")
    found = pages(content[:-40] + bytes(40))
    assert read(next(found)).text == "7"
    with pytest.raises(ImageError):
        list(found)


@pytest.mark.parametrize(
    ("module", "content", "extra"),
    [("pillow_heif", HEIC, "heif"), ("pypdfium2", b"%PDF-1.7\n", "pdf")],
)
def test_a_missing_extra_is_named(
    module: str, content: bytes, extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "photo").write_bytes(content)
    with pytest.raises(ImageError, match=rf"photo.*needs {module}.*'cnn-mnist\[{extra}\]'"):
        decode(tmp_path / "photo")


def test_a_heic_photo_is_read_and_a_damaged_one_named() -> None:
    heif = pytest.importorskip("pillow_heif")
    stream = BytesIO()
    large = drawing((300, 250), at=(100, 40), scale=5).convert("RGB")
    heif.from_pillow(large).save(stream, quality=90)
    reading = read(stream.getvalue())
    assert (reading.text, reading.page) == ("7", None)
    with pytest.raises(ImageError, match="the input is damaged: it starts as a HEIC image"):
        decode(HEIC)


def test_each_page_of_a_pdf_is_read_with_boxes_in_points() -> None:
    pytest.importorskip("pypdfium2")
    page = drawing((600, 500), at=(200, 80), scale=10)
    content = encoded(page, "PDF", save_all=True, append_images=[page], resolution=144)
    found = list(pages(content))
    assert [picture.page for picture in found] == [1, 2]
    assert [read(picture).text for picture in found] == ["7", "7"]
    assert found[0].size == (300, 250)
    assert np.abs(np.array(read(found[0]).digits[0].box) - (91, 31, 200, 200)).max() < 30
    with pytest.raises(ImageError, match="the input is not an image or a PDF that can be read"):
        decode(b"%PDF-1.7\n")
