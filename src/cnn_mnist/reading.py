"""Reading: any picture to its digits, with the help of a judge that knows what is no digit.

`image` finds what may be digits, too much rather than too little: a broken stroke whole and in its
parts, touching digits together and cut. The network reads each candidate, and so does the judge, a
small network of its own that has also seen a 1 with a flag, a 7 with a bar, and, as one more class,
much that is no digit. Both opinions are pooled; the best way through a row is found by dynamic
programming (Viterbi), where what no candidate explains well is refused at a fixed price. Source of
the method: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document
recognition", 1998, section IV.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.errors import ImageError
from cnn_mnist.image import MAX_PIXELS, SIZE, Candidate, decode, find_candidates
from cnn_mnist.infer import BATCH_SIZE, PRETRAINED, Model, inputs

JUDGE: Final = Path(__file__).parent / "pretrained" / "judge.onnx"
"""Ten digits and, as the last class, no digit; trained by benchmarks/judge.py."""

NO_DIGIT: Final = "its form is no digit's"
TOO_SHORT: Final = "it is much shorter than the digits beside it"

_CUT: Final = 1.3  # price, in nats, of each side that is cut off from other ink
_JOINT: Final = 0.7  # price, in nats, of each piece beyond the first
_REFUSAL: Final = 3.0  # price, in nats, of leaving a piece unexplained
_SMALL: Final = 0.5  # of the median height of the digits: what is refused and smaller is dirt
_SHORT: Final = 0.4  # of the tallest digit's height: what is shorter is no digit of the same row


@dataclass(frozen=True, kw_only=True)
class Digit:
    """One digit that was read, or what was refused as none."""

    class_: int | None
    """None where it is no digit."""
    probability: float
    """Of the likeliest class, in [0, 1]."""
    probabilities: tuple[float, ...]
    """Of every class."""
    box: tuple[int, int, int, int]
    """Left, top, right, bottom in pixels; right and bottom are outside."""
    image: npt.NDArray[np.float32] = field(repr=False, compare=False)
    """`(28, 28)` in [0, 1]: what the network saw."""
    reason: str | None = None
    """Why it is no digit."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON: `class`, `probability`, `probabilities`, `box`; `reason` if refused."""
        values = {
            "class": self.class_,
            "probability": self.probability,
            "probabilities": list(self.probabilities),
            "box": list(self.box),
        }
        return values | ({"reason": self.reason} if self.reason else {})


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a picture says."""

    lines: tuple[tuple[Digit, ...], ...]
    """Its rows from top to bottom, each from left to right, what was refused included."""

    @property
    def digits(self) -> tuple[Digit, ...]:
        """All of them in reading order."""
        return tuple(digit for line in self.lines for digit in line)

    @property
    def text(self) -> str:
        """The digits' classes, without what was refused."""
        return "".join(self.text_lines)

    @property
    def text_lines(self) -> tuple[str, ...]:
        """The text row by row, without rows that hold no digit."""
        texts = (
            "".join(str(d.class_) for d in line if d.class_ is not None) for line in self.lines
        )
        return tuple(text for text in texts if text)

    def to_dict(self, separator: str = "") -> dict[str, Any]:
        """As JSON: `text`, its rows joined by the separator, and `digits`."""
        return {
            "text": separator.join(self.text_lines),
            "digits": [digit.to_dict() for digit in self.digits],
        }


def read(
    picture: str | Path | bytes,
    model: Model | None = None,
    *,
    judge: Model | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Reading:
    """Read the digits of a picture.

    Args:
        picture: a file or its bytes; see `image.decode`.
        model: a network of the ten digits; without one, the model in the box.
        judge: `JUDGE`, opened by the caller with threads as he wants them; without one, the same
            with all cores.
        max_pixels: see `image.decode`.

    Raises:
        ImageError: the picture cannot be decoded.
        ModelError: there is no model in the box.
    """
    reader, judge = model or _model(PRETRAINED), judge or _model(JUDGE)
    content = Path(picture) if isinstance(picture, str) else picture
    rows = find_candidates(decode(content, max_pixels=max_pixels))
    return Reading(
        lines=_without_dirt([_read_row(candidates, reader, judge) for candidates in rows])
    )


def read_array(model: Model, path: Path) -> Iterator[Digit]:
    """Classify an array file of images that are in MNIST's form already; none is refused.

    Args:
        model: the network.
        path: `.npy`, or IDX; see `Model.predict` for shapes and types.

    Yields:
        The digit of each image, in order.

    Raises:
        ImageError: the array has another shape, type or range.
        DataError: the file cannot be read.
    """
    for images in _npy_batches(path) if path.suffix == ".npy" else _idx_batches(path):
        _, probabilities = model.predict(images)
        for row, (image,) in zip(probabilities, chain(*inputs(images)), strict=True):
            yield _digit(row, (0, 0, SIZE, SIZE), image)


def _idx_batches(path: Path) -> Iterator[npt.NDArray[Any]]:
    from cnn_mnist.data import idx  # here, for whoever reads a picture need not wait for it

    return idx.batches(path, BATCH_SIZE, dimensions=3)


def _npy_batches(path: Path) -> Iterator[npt.NDArray[Any]]:
    try:
        # unlike np.load it takes neither a zip nor a pickle for an array
        images = np.atleast_1d(np.lib.format.open_memmap(path, mode="r"))
    except (OSError, ValueError, EOFError) as error:
        raise ImageError(f"{path} is no array file: {error}") from error
    for start in range(0, len(images), BATCH_SIZE):
        yield images[start : start + BATCH_SIZE]


@cache
def _model(path: Path) -> Model:
    return Model(path)


def _read_row(candidates: list[Candidate], reader: Model, judge: Model) -> list[Digit]:
    """The best way to read a row."""
    images = np.stack([candidate.image for candidate in candidates])
    judged = judge.predict(images)[1]
    forms = 1 - judged[:, -1]
    probabilities = _pooled(reader.predict(images)[1], judged[:, :-1])
    scores = forms * probabilities.max(axis=1)
    formed = forms >= threshold(judge)
    heights = np.array([candidate.box[3] - candidate.box[1] for candidate in candidates])
    tall = heights >= _SHORT * heights.max(where=formed, initial=0)
    reasons = [
        NO_DIGIT if not digit else TOO_SHORT if not long else None
        for digit, long in zip(formed, tall, strict=True)
    ]
    prices = [
        -math.log(score) + _CUT * candidate.cuts + _JOINT * (candidate.pieces - 1)
        if reason is None
        else _REFUSAL * candidate.pieces
        for candidate, score, reason in zip(candidates, scores, reasons, strict=True)
    ]
    return [
        _digit(
            probabilities[index],
            candidates[index].box,
            images[index],
            reasons[index],
        )
        for index in _cheapest_way(candidates, prices)
    ]


def _pooled(
    first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Two opinions as one: their geometric mean (the logarithmic opinion pool), `(N, classes)`."""
    pooled = np.sqrt(first * second) + 1e-12
    return np.asarray(pooled / pooled.sum(axis=1, keepdims=True), np.float32)


def threshold(judge: Model) -> float:
    """The least probability of a digit; fitted on MNIST's validation images."""
    return float(judge.metadata["threshold"])


def _cheapest_way(candidates: list[Candidate], prices: list[float]) -> list[int]:
    """Indices of the candidates that cover a row from its first part to its last at least cost."""
    best: dict[int, tuple[float, list[int]]] = {0: (0.0, [])}
    # whatever stops at a part has a smaller start than whatever starts there
    for index in sorted(range(len(candidates)), key=lambda index: candidates[index].start):
        start, stop = candidates[index].start, candidates[index].stop
        price, way = best[start]
        if stop not in best or price + prices[index] < best[stop][0]:
            best[stop] = price + prices[index], [*way, index]
    return best[max(best)][1]


def _without_dirt(lines: list[list[Digit]]) -> tuple[tuple[Digit, ...], ...]:
    """The lines without what is refused and much smaller than the picture's digits."""
    heights = [d.box[3] - d.box[1] for line in lines for d in line if d.class_ is not None]
    least = _SMALL * float(np.median(heights)) if heights else 0.0
    kept = (
        tuple(d for d in line if d.class_ is not None or d.box[3] - d.box[1] >= least)
        for line in lines
    )
    return tuple(line for line in kept if line)


def _digit(
    probabilities: npt.NDArray[np.float32],
    box: tuple[int, int, int, int],
    image: npt.NDArray[np.float32],
    reason: str | None = None,
) -> Digit:
    """The most probable digit, or none for a reason.

    Args:
        probabilities: `(classes,)`.
        box: where it stands.
        image: `(28, 28)`.
        reason: why it is refused.
    """
    best = int(probabilities.argmax())
    return Digit(
        class_=None if reason else best,
        probability=float(probabilities[best]),
        probabilities=tuple(probabilities.tolist()),
        box=box,
        image=image,
        reason=reason,
    )
