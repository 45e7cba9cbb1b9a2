"""Read and write IDX, the file format of MNIST and its relatives.

Layout: two zero bytes, a type code (8: unsigned byte, the only one that is written; 12: big-endian
32-bit integer, as in QMNIST's labels), the number of dimensions, each dimension as a big-endian
32-bit integer, then the values in C order. Source: the description on the first home page of MNIST,
http://yann.lecun.com/exdb/mnist/.

Guarantees: `read` returns a whole file or raises; neither more than `MAX_BYTES` nor more than the
header announces is ever held in memory, whatever a compressed file expands to.
"""

import gzip
import hashlib
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.errors import DataError, reason_of
from cnn_mnist.files import replace

MAX_BYTES: Final = 1 << 30
"""The most values that are read at once: of a whole file, or of a batch."""
_CHUNK_BYTES: Final = 1 << 20
_UNSIGNED_BYTE: Final = 8
_INT32: Final = 12
_TYPES: Final = {_UNSIGNED_BYTE: "unsigned bytes (0x08)", _INT32: "32-bit integers (0x0c)"}
_GZIP_MAGIC: Final = b"\x1f\x8b"


def read(
    path: Path, *, dimensions: int | None = None, sha256: str | None = None
) -> npt.NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, plain or gzip-compressed (detected by its content).

    Args:
        path: the file.
        dimensions: the number of dimensions that it must have, if known.
        sha256: the SHA-256 that the decompressed file must have, if known.

    Returns:
        The values, uint8, writable, in the shape that the header announces.

    Raises:
        DataError: the file cannot be read, is damaged, truncated, too large, of another type or
            number of dimensions, or of another SHA-256. The message names the file.
    """
    header, body, shape = _read(path, dimensions, _UNSIGNED_BYTE, 1)
    if sha256 is not None:
        digest = hashlib.sha256(header)
        digest.update(body)
        if digest.hexdigest() != sha256:
            raise DataError(
                f"{path} is not the expected file: SHA-256 {digest.hexdigest()}, expected "
                f"{sha256}; delete it and fetch it again"
            )
    try:
        # a bytearray gives a writable array, which torch can share without a copy
        return np.frombuffer(body, dtype=np.uint8).reshape(shape)
    except ValueError as error:  # more dimensions, or more items of no values, than NumPy allows
        raise DataError(f"{path} has an impossible shape: {error}") from error


def read_int32(path: Path, *, dimensions: int) -> npt.NDArray[np.int32]:
    """Read an IDX file of 32-bit integers, plain or gzip-compressed.

    Args:
        path: the file.
        dimensions: the number of dimensions that it must have.

    Returns:
        The values, int32, in the shape that the header announces.

    Raises:
        DataError: see `read`.
    """
    _, body, shape = _read(path, dimensions, _INT32, 4)
    return np.frombuffer(body, dtype=">i4").reshape(shape).astype(np.int32)


def _read(
    path: Path, dimensions: int | None, type_code: int, item_bytes: int
) -> tuple[bytes, bytearray, tuple[int, ...]]:
    """Return a file's header, the bytes of its values, and its shape."""
    with _open(path, dimensions, type_code) as (stream, header, shape):
        size_bytes = math.prod(shape) * item_bytes
        _check_size(path, size_bytes, "bytes")
        body = _read_up_to(stream, size_bytes)
        _check_end(path, stream, shape, len(body) // item_bytes)
    return header, body, shape


def batches(path: Path, size: int, *, dimensions: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Read an IDX file some items at a time, so that memory does not grow with the file.

    Args:
        path: the file, plain or gzip-compressed.
        size: items per batch, along the first dimension.
        dimensions: the number of dimensions that it must have, at least 1.

    Yields:
        `(B, ...) uint8`, where B is `size`, or less in the last batch.

    Raises:
        DataError: see `read`. A truncated file's content is yielded before that.
    """
    with _open(path, dimensions, _UNSIGNED_BYTE) as (stream, _, shape):
        count, *item_shape = shape
        item_size = math.prod(item_shape)
        _check_size(path, size * item_size, "values in a batch")
        for start in range(0, count, size):
            items = min(size, count - start)
            body = _read_up_to(stream, items * item_size)
            if len(body) < items * item_size:
                _check_end(path, stream, shape, start * item_size + len(body))
            yield np.frombuffer(body, np.uint8).reshape(items, *item_shape)
        _check_end(path, stream, shape, count * item_size)


@contextmanager
def _open(
    path: Path, dimensions: int | None, type_code: int
) -> Iterator[tuple[IO[bytes], bytes, tuple[int, ...]]]:
    """Open a file, and yield its stream after the header, the header's bytes, and its shape."""
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            plain: IO[bytes] = gzip.GzipFile(fileobj=raw) if compressed else raw  # type: ignore[assignment]
            with plain as stream:
                start = stream.read(4)
                rank = _parse_rank(path, start, dimensions, type_code)
                sizes = stream.read(4 * rank)
                if len(sizes) < 4 * rank:
                    raise DataError(f"{path} is truncated: it ends within its header")
                yield stream, start + sizes, struct.unpack(f">{rank}I", sizes)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged or truncated: {error}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {reason_of(error)}") from error


def _parse_rank(path: Path, start: bytes, dimensions: int | None, type_code: int) -> int:
    """Check a file's first four bytes, and return its number of dimensions."""
    if len(start) < 4 or start[:2] != b"\0\0":
        raise DataError(f"{path} is not an IDX file: it starts with {start.hex(' ') or 'nothing'}")
    if start[2] != type_code:
        raise DataError(
            f"{path} has IDX type 0x{start[2]:02x}: only {_TYPES[type_code]} are supported"
        )
    if dimensions is not None and start[3] != dimensions:
        raise DataError(
            f"{path} has {start[3]} dimensions, expected {dimensions}: "
            "are the image and the label file swapped?"
        )
    return start[3]


def _check_size(path: Path, values: int, what: str) -> None:
    """Raise `DataError` where the header announces more values than `MAX_BYTES`."""
    if values > MAX_BYTES:
        raise DataError(
            f"{path} is larger than the limit of {MAX_BYTES >> 20:,} MiB: its header announces "
            f"{values:,} {what}"
        )


def _read_up_to(stream: IO[bytes], size_bytes: int) -> bytearray:
    """Read `size_bytes`, or fewer where the stream ends; memory grows with what is there."""
    body = bytearray()
    while chunk := stream.read(min(size_bytes - len(body), _CHUNK_BYTES)):
        body += chunk
    return body


def _check_end(path: Path, stream: IO[bytes], shape: tuple[int, ...], values: int) -> None:
    """Raise `DataError` unless the `values` read are all that the header announces and the last."""
    expected = math.prod(shape)
    if values < expected:
        raise DataError(
            f"{path} is truncated: {shape} needs {expected:,} values, it has {values:,}"
        )
    if stream.read(1):
        raise DataError(f"{path} is too long: bytes follow the {expected:,} values of its header")


def write(path: Path, values: npt.NDArray[np.uint8]) -> None:
    """Write an IDX file in one step; gzip-compressed where the name ends in `.gz`.

    Args:
        path: the file to create or replace.
        values: uint8, of any shape.

    Raises:
        DataError: the values are not uint8.
        OSError: the file cannot be written.
    """
    if values.dtype != np.uint8:
        raise DataError(f"IDX files are written from uint8 arrays, not {values.dtype}")
    content = _header(values) + values.tobytes()
    replace(path, gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def content_sha256(values: npt.NDArray[np.uint8]) -> str:
    """Return the SHA-256 of the decompressed IDX file that holds these values."""
    digest = hashlib.sha256(_header(values))
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _header(values: npt.NDArray[np.uint8]) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, _UNSIGNED_BYTE, values.ndim, *values.shape)
