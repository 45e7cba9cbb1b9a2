"""IDX: a file is read whole or refused by name, within the memory that its content takes."""

import gzip
import hashlib
import math
import os
import re
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnn_mnist.data import idx
from cnn_mnist.errors import DataError

VALUES = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)
HEADER = struct.pack(">HBB3I", 0, 8, 3, 3, 4, 5)
CONTENT = HEADER + VALUES.tobytes()


def refusal(path: Path, **expected: object) -> str:
    """Return the message with which a file is refused; it must name the file."""
    with pytest.raises(DataError, match=re.escape(str(path))) as caught:
        idx.read(path, **expected)
    return str(caught.value)


def store(path: Path, content: bytes) -> Path:
    """Write a file with this content, compressed where its name ends in .gz."""
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


@pytest.fixture(params=["a", "a.gz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return the path of a plain and of a compressed file."""
    return tmp_path / request.param


@pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 0, 3), (5, 28, 28), (1, 2, 3, 4)])
def test_reading_returns_what_was_written(path: Path, shape: tuple[int, ...]) -> None:
    values = (np.arange(math.prod(shape)) % 251).astype(np.uint8).reshape(shape)
    idx.write(path, values)
    read = idx.read(path, dimensions=len(shape))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, values, strict=True)


def test_the_layout_is_the_documented_one(path: Path) -> None:
    np.testing.assert_array_equal(idx.read(store(path, CONTENT)), VALUES, strict=True)


def test_compression_is_detected_by_content_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "plain-name"
    path.write_bytes(gzip.compress(CONTENT))
    np.testing.assert_array_equal(idx.read(path), VALUES)


def test_the_array_is_writable(path: Path) -> None:
    assert idx.read(store(path, CONTENT)).flags.writeable


def test_writing_the_same_values_gives_the_same_bytes(path: Path) -> None:
    idx.write(path, VALUES)
    first = path.read_bytes()
    idx.write(path, VALUES)
    assert path.read_bytes() == first


def test_values_other_than_uint8_are_not_written(path: Path) -> None:
    with pytest.raises(DataError, match="float64"):
        idx.write(path, VALUES.astype(np.float64))
    assert not path.exists()


def test_a_truncated_file_is_refused_wherever_it_ends(path: Path) -> None:
    whole = store(path, CONTENT).read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        refusal(path)


def test_a_damaged_byte_never_gives_other_values(path: Path) -> None:
    whole = store(path, CONTENT).read_bytes()
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            values = idx.read(path, sha256=sha256)
        except DataError as error:
            assert str(path) in str(error)  # noqa: PT017 - some bytes of gzip's header mean nothing
        else:
            np.testing.assert_array_equal(values, VALUES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file: it starts with nothing"),
        (b"\0\0", "not an IDX file"),
        (b"\x89PNG\r\n", "not an IDX file: it starts with 89 50 4e 47"),
        (b"\1" + CONTENT[1:], "not an IDX file"),
        (b"\0\0\x0d\3" + CONTENT[4:], "IDX type 0x0d"),
        (CONTENT[:9], "truncated: it ends within its header"),
        (CONTENT[:-1], r"truncated: \(3, 4, 5\) needs 60 values, it has 59"),
        (CONTENT + b"x", "too long"),
        (struct.pack(">HBB65I", 0, 8, 65, *[1] * 65) + b"x", "impossible shape"),
        (struct.pack(">HBB3I", 0, 8, 3, 0, 2**32 - 1, 2**32 - 1), "impossible shape"),
    ],
    ids=[
        *("empty", "two bytes", "PNG", "magic", "floats", "header cut", "cut", "too long"),
        *("65 dimensions", "vast and empty"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(path: Path, content: bytes, message: str) -> None:
    assert re.search(message, refusal(store(path, content)))


@pytest.mark.parametrize(
    ("values", "dimensions"), [(VALUES, 1), (VALUES[0, 0], 3)], ids=["images", "labels"]
)
def test_swapped_image_and_label_files_are_reported_as_swapped(
    path: Path, values: np.ndarray, dimensions: int
) -> None:
    idx.write(path, values)
    assert "swapped" in refusal(path, dimensions=dimensions)


def test_bytes_after_the_compressed_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(CONTENT) + b"more")
    refusal(path)


@pytest.mark.parametrize(
    "content",
    [
        struct.pack(">HBB2I", 0, 8, 2, 1 << 20, 1 << 20) + b"x",  # claims 2^40 values
        HEADER + b"x" * 60 + bytes(50_000_000),  # holds far more than it claims
    ],
    ids=["claims", "holds"],
)
def test_a_file_with_a_wrong_size_takes_no_memory(path: Path, content: bytes) -> None:
    store(path, content)
    tracemalloc.start()
    try:
        refusal(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


def test_any_compression_of_the_right_bytes_has_the_right_hash(tmp_path: Path) -> None:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    for level in (0, 1, 9):
        (tmp_path / "a").write_bytes(gzip.compress(CONTENT, level))
        np.testing.assert_array_equal(idx.read(tmp_path / "a", sha256=sha256), VALUES)


def test_other_bytes_are_refused_with_the_way_out(path: Path) -> None:
    line = refusal(store(path, CONTENT), sha256="0" * 64)
    assert "not the expected file" in line
    assert hashlib.sha256(CONTENT).hexdigest() in line
    assert "fetch it again" in line


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "nothing")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    refusal(tmp_path)


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_refused(path: Path) -> None:
    store(path, CONTENT).chmod(0)
    assert "Permission denied" in refusal(path)


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_batches_together_are_the_whole_file(tmp_path: Path, name: str) -> None:
    values = np.arange(7 * 6, dtype=np.uint8).reshape(7, 2, 3)
    idx.write(tmp_path / name, values)
    batches = list(idx.batches(tmp_path / name, 3, dimensions=3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate(batches), values)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-1], r"truncated.*42 values, it has 41"),
        (lambda content: content + b"x", "too long"),
        (lambda content: content[:3] + b"\x01" + content[4:], "1 dimensions, expected 3"),
        (
            lambda content: content[:8] + b"\xff" * 8 + content[16:],
            "larger than the limit of 1,024 MiB",
        ),
    ],
)
def test_a_damaged_file_is_noticed_in_batches_too(
    tmp_path: Path, damage: Callable[[bytes], bytes], message: str
) -> None:
    path = tmp_path / "images.idx"
    idx.write(path, np.arange(42, dtype=np.uint8).reshape(7, 2, 3))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=message):
        list(idx.batches(path, 3, dimensions=3))


def test_batches_of_images_without_pixels_have_their_shape(tmp_path: Path) -> None:
    idx.write(tmp_path / "images", np.zeros((2, 0, 3), np.uint8))
    (batch,) = idx.batches(tmp_path / "images", 5, dimensions=3)
    assert batch.shape == (2, 0, 3)


def test_no_memory_is_allocated_for_what_a_header_only_announces(tmp_path: Path) -> None:
    path = tmp_path / "claims-1-gib"
    path.write_bytes(struct.pack(">HBBI", 0, 8, 1, 1 << 30) + b"few")
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="is truncated"):
            idx.read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 << 20
