"""Read many pictures in several processes at a time, each with models of one thread."""

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnn_mnist import Model, read


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was read in a picture."""

    text: str
    """Its characters in reading order, without line breaks."""
    rows: tuple[str, ...]
    """The same row by row."""

    @property
    def has_digit(self) -> bool:
        """Whether a digit is read; other signs may be."""
        return any(sign.isdecimal() for sign in self.text)


class Readers:
    """Processes that read pictures, kept until the `with` block ends.

    Args:
        model: the model file that reads.
        workers: number of processes.
    """

    def __init__(self, model: Path, workers: int) -> None:
        # spawned: ONNX Runtime's threads do not survive a fork
        self._pool = ProcessPoolExecutor(workers, get_context("spawn"), _open, (model,))

    def __enter__(self) -> "Readers":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def read(self, pictures: Iterable[Path | bytes]) -> list[Answer]:
        """Read pictures, and return the answers in the same order.

        Raises:
            ImageError: a picture cannot be decoded.
        """
        return list(self._pool.map(_read, pictures, chunksize=4))


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return an image, `(H, W)` or `(H, W, 3)`, as the bytes of a PNG file."""
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def ink_stroke() -> bytes:
    """Return a PNG of one thick stroke, whose reading opens all models."""
    page = np.full((100, 100), 255, np.uint8)
    page[20:80, 45:55] = 0
    return png(page)


_models: list[Model] = []


def _open(path: Path) -> None:
    _models.append(Model(path, threads=1))
    read(ink_stroke(), _models[0])


def _read(picture: Path | bytes) -> Answer:
    reading = read(picture, _models[0])
    return Answer(text=reading.text, rows=reading.text_lines)
