"""Draw the picture that the tests of reading share."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw


def drawing(
    size: tuple[int, int] = (60, 50),
    at: tuple[int, int] = (20, 8),
    scale: float = 1.0,
    *,
    ink: int = 30,
    paper: int = 255,
) -> Image.Image:
    """Draw a dark 7 on a white page, its upper left corner at `at`."""
    page = Image.new("L", size, paper)
    moved = [(at[0] + x * scale, at[1] + y * scale) for x, y in [(0, 0), (18, 0), (6, 30)]]
    ImageDraw.Draw(page).line(moved, fill=ink, width=max(1, round(4 * scale)), joint="curve")
    return page


SEVEN = drawing()


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Return an image as the bytes of a file."""
    stream = BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def png_16_bit(values: npt.NDArray[np.uint16]) -> bytes:
    """Return a PNG of 16-bit levels `(H, W, channels)`, which Pillow does not write in colour."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    chunks = [
        (b"IHDR", struct.pack(">2I5B", width, height, 16, colour_type, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
