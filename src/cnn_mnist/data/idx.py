"""IDX, the file format of MNIST and its relatives: a strict reader, and a writer.

Layout: two zero bytes, a type code (8: unsigned byte, the only one used), the number of
dimensions, each dimension as a big-endian 32-bit integer, then the values in C order. Source: the
description on the first home of MNIST, http://yann.lecun.com/exdb/mnist/.

Guarantees: a file is read whole or refused; nothing larger than `MAX_BYTES`, and nothing larger
than what the header claims, is ever held in memory, also when a compressed file claims otherwise.
"""

import gzip
import hashlib
import math
import struct
import zlib
from io import BufferedReader
from pathlib import Path
from typing import Final

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
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if compressed else raw as stream:
                header = stream.read(4)
                rank = _rank(path, header, dimensions)
                dims = stream.read(4 * rank)
                if len(dims) < 4 * rank:
                    raise DataError(f"{path} is truncated: its header ends early")
                sizes = struct.unpack(f">{rank}I", dims)
                expected = math.prod(sizes)
                if expected > MAX_BYTES:
                    raise DataError(f"{path} claims {expected:,} values: more than is believable")
                body = _body(stream, expected)
                surplus = stream.read(1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged or truncated: {error}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(body) < expected:
        raise DataError(
            f"{path} is truncated: {sizes} needs {expected:,} values, it has {len(body):,}"
        )
    if surplus:
        raise DataError(f"{path} is too long: bytes follow the {expected:,} values of its header")
    if sha256 is not None:
        found = hashlib.sha256(header + dims)
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


def _body(stream: gzip.GzipFile | BufferedReader, size: int) -> bytearray:
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
