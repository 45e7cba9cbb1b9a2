"""A picture is read from whatever the caller has; each wrong thing gets one clear sentence."""

import os
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawings import SEVEN, encoded

import cnn_mnist
from cnn_mnist.errors import ImageError, ImageSizeError
from cnn_mnist.reading import decode as decode_module
from cnn_mnist.reading.decode import decode

GREY = np.asarray(SEVEN)
RGB = np.stack([GREY] * 3, axis=2)
RGBA = np.dstack([RGB, np.full(GREY.shape, 255, np.uint8)])


@pytest.mark.parametrize(
    "source",
    [
        encoded(SEVEN),
        bytearray(encoded(SEVEN)),
        memoryview(encoded(SEVEN)),
        SEVEN,
        SEVEN.convert("RGBA"),
        GREY,
        RGB,
        RGBA,
        GREY > 128,
        GREY / 255,
        (RGB / 255).astype(np.float32),
        GREY.astype(np.uint16) * 257,
        RGB.astype(np.uint16) * 16,
        GREY[::-1][::-1],
    ],
    ids=lambda source: f"{type(source).__name__} {getattr(source, 'dtype', '')}",
)
def test_a_seven_is_read_from_bytes_an_image_and_arrays(source: Any) -> None:
    assert cnn_mnist.read(source).text == "7"


def test_a_seven_is_read_from_a_path_a_name_and_an_open_file(tmp_path: Path) -> None:
    path = tmp_path / "seven.png"
    path.write_bytes(encoded(SEVEN))
    assert [cnn_mnist.read(source).text for source in (path, str(path))] == ["7", "7"]
    with path.open("rb") as stream:
        assert cnn_mnist.read(stream).text == "7"
    assert cnn_mnist.read(BytesIO(encoded(SEVEN))).text == "7"


def test_the_callers_image_stays_as_it_is() -> None:
    large = SEVEN.resize((3000, 2500)).convert("RGB")
    with decode_module.Image.open(BytesIO(encoded(large, "JPEG"))) as image:
        assert decode(image).pixels.shape == (1067, 1280, 3)
        assert (image.size, image.mode) == ((3000, 2500), "RGB")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (None, "a picture cannot be of type NoneType: give a path, bytes"),
        (7, "a picture cannot be of type int"),
        ([[0, 255]], "a picture cannot be of type list"),
        (StringIO("text"), "open in text mode: open it with 'rb'"),
        (np.zeros(28), r"the array has shape \(28,\): expected \(height, width\)"),
        (np.zeros((2, 28, 28)), r"the array has shape \(2, 28, 28\)"),
        (np.zeros((28, 28, 1, 1)), r"the array has shape \(28, 28, 1, 1\)"),
        (np.zeros((0, 9)), "it holds no pixel"),
        (np.zeros((9, 9), np.int64), "the array is of int64: expected uint8"),
        (np.zeros((9, 9), object), "the array is of object"),
        (np.zeros((9, 9), complex), "the array is of complex128"),
        (np.full((9, 9), np.nan), r"floats are not all in \[0, 1\]"),
        (np.full((9, 9), 255.0), "divide them"),
    ],
)
def test_each_wrong_source_gets_one_clear_sentence(source: Any, sentence: str) -> None:
    with pytest.raises(ImageError, match=sentence) as caught:
        cnn_mnist.read(source)
    assert "\n" not in str(caught.value)


def test_a_closed_file_and_a_closed_image_are_told(tmp_path: Path) -> None:
    stream = BytesIO(encoded(SEVEN))
    stream.close()
    with pytest.raises(ImageError, match="closed file"):
        decode(stream)
    image = SEVEN.copy()
    image.close()
    with pytest.raises(ImageError, match="the input is damaged"):
        decode(image)


def test_pixels_are_bounded_in_every_source() -> None:
    for source in (SEVEN, GREY, encoded(SEVEN)):
        with pytest.raises(ImageSizeError, match="60x50 pixels: the limit is 1,000"):
            decode(source, max_pixels=1000)


def test_devices_and_pipes_are_refused_by_name_and_not_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), Path(os.devnull), tmp_path):
        with pytest.raises(ImageError, match=f"{path} cannot be read: it is not a regular file"):
            decode(path)


def test_a_files_size_is_looked_at_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)  # takes no room on the disk
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("the file was opened"))
    with pytest.raises(ImageSizeError, match=r"huge\.png has 1,099,511,627,776 bytes: the limit"):
        decode(path)


class Endless:
    """A stream without an end, which counts what was taken."""

    taken = 0

    def read(self, size: int) -> bytes:
        self.taken += size
        return bytes(size)


def test_an_endless_stream_is_read_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_module, "MAX_FILE_BYTES", 1000)
    stream = Endless()
    with pytest.raises(ImageSizeError, match="more bytes than the limit of 1,000"):
        decode(stream)  # type: ignore[arg-type]
    assert stream.taken == 1001
