"""IDX, the file format of MNIST and its relatives: a strict reader, and a writer.

Layout: two zero bytes, a type code (8: unsigned byte, the only one used), the number of
dimensions, each dimension as a big-endian 32-bit integer, then the values in C order. Source: the
description on the first home of MNIST, http://yann.lecun.com/exdb/mnist/.

Guarantees: `read` reads a file whole or refuses it; nothing larger than `MAX_BYTES`, and nothing
larger than what the header claims, is ever held in memory, also when a compressed file claims
otherwise.
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

from cnn_mnist.errors import DataError
from cnn_mnist.files import replace

MAX_BYTES: Final = 1 << 30
_CHUNK_BYTES: Final = 1 << 20
_UNSIGNED_BYTE: Final = 8
_GZIP_MAGIC: Final = b"\x1f\x8b"


def read(
    path: Path, *, dimensions: int | None = None, sha256: str | None = None
) -> npt.NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, plain or gzip-compressed (told by its content).

    Args:
        path: the file.
        dimensions: the number of dimensions that it must have, if known.
        sha256: the SHA-256 that the decompressed file must have, if known.

    Returns:
        The values, uint8, in the shape that the header gives.

    Raises:
        DataError: the file cannot be read, is damaged, truncated, oversized, of another type or
            number of dimensions, or of another SHA-256. The line names the file.
    """
    with _opened(path, dimensions) as (stream, header, sizes):
        expected = math.prod(sizes)
        if expected > MAX_BYTES:
            raise DataError(f"{path} claims {expected:,} values: more than is believable")
        body = _body(stream, expected)
        _check_end(path, stream, sizes, len(body))
    if sha256 is not None:
        found = hashlib.sha256(header)
        found.update(body)
        if found.hexdigest() != sha256:
            raise DataError(
                f"{path} is not the true file: SHA-256 {found.hexdigest()}, expected {sha256}; "
                "delete it and fetch it again"
            )
    try:
        # a bytearray gives a writable array, which torch can share without a copy
        return np.frombuffer(body, dtype=np.uint8).reshape(sizes)
    except ValueError as error:  # more dimensions, or empty ones of more places, than NumPy has
        raise DataError(f"{path} has a shape that cannot be: {error}") from error


def batches(path: Path, size: int, *, dimensions: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Read an IDX file some items at a time, so that memory does not grow with the file.

    Args:
        path: the file, plain or gzip-compressed.
        size: items of a batch, along the first dimension.
        dimensions: the number of dimensions that it must have, at least 1.

    Yields:
        `(B, ...) uint8`, B = `size` but for the last.

    Raises:
        DataError: see `read`. What a truncated file holds is given before that.
    """
    with _opened(path, dimensions) as (stream, _, sizes):
        count, *shape = sizes
        each = math.prod(shape)
        if size * each > MAX_BYTES:
            raise DataError(f"{path} claims {each:,} values an item: more than is believable")
        for start in range(0, count, size):
            items = min(size, count - start)
            body = _body(stream, items * each)
            if len(body) < items * each:
                _check_end(path, stream, sizes, start * each + len(body))
            yield np.frombuffer(body, np.uint8).reshape(items, *shape)
        _check_end(path, stream, sizes, count * each)


@contextmanager
def _opened(
    path: Path, dimensions: int | None
) -> Iterator[tuple[IO[bytes], bytes, tuple[int, ...]]]:
    """A file behind its header, the header's bytes, and the sizes that it gives."""
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            plain: IO[bytes] = gzip.GzipFile(fileobj=raw) if compressed else raw  # type: ignore[assignment]
            with plain as stream:
                start = stream.read(4)
                rank = _rank(path, start, dimensions)
                dims = stream.read(4 * rank)
                if len(dims) < 4 * rank:
                    raise DataError(f"{path} is truncated: its header ends early")
                yield stream, start + dims, struct.unpack(f">{rank}I", dims)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged or truncated: {error}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _check_end(path: Path, stream: IO[bytes], sizes: tuple[int, ...], values: int) -> None:
    """Raise `DataError` unless `values` have been read, and they were all."""
    expected = math.prod(sizes)
    if values < expected:
        raise DataError(
            f"{path} is truncated: {sizes} needs {expected:,} values, it has {values:,}"
        )
    if stream.read(1):
        raise DataError(f"{path} is too long: bytes follow the {expected:,} values of its header")


def _body(stream: IO[bytes], size: int) -> bytearray:
    """The next `size` bytes, or what there is of them: no memory is taken on the header's word."""
    body = bytearray()
    while chunk := stream.read(min(size - len(body), _CHUNK_BYTES)):
        body += chunk
    return body


def _rank(path: Path, header: bytes, dimensions: int | None) -> int:
    if len(header) < 4 or header[:2] != b"\0\0":
        raise DataError(f"{path} is no IDX file: it starts with {header.hex(' ') or 'nothing'}")
    if header[2] != _UNSIGNED_BYTE:
        raise DataError(f"{path} has IDX type 0x{header[2]:02x}: only unsigned bytes (0x08) fit")
    if dimensions is not None and header[3] != dimensions:
        raise DataError(
            f"{path} has {header[3]} dimensions, expected {dimensions}: "
            "are the image and the label file swapped?"
        )
    return header[3]


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
        raise DataError(f"IDX files hold uint8 here, not {values.dtype}")
    header = struct.pack(f">HBB{values.ndim}I", 0, _UNSIGNED_BYTE, values.ndim, *values.shape)
    content = header + values.tobytes()
    replace(path, gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
