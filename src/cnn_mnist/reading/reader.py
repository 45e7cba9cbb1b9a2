"""Read the digits of an image.

`candidates` finds what may be digits, too much rather than too little: a broken stroke whole and in
its parts, touching digits together and cut. The classifier and the rejector score each candidate.
The best way through a row is found by dynamic programming (Viterbi), where what no candidate
explains well is refused at a fixed price. Source of the method: LeCun, Bottou, Bengio and Haffner,
"Gradient-based learning applied to document recognition", 1998, section IV.
"""

import math
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from cnn_mnist.inference.model import BUNDLED, Model
from cnn_mnist.reading.candidates import Candidate, find_candidates
from cnn_mnist.reading.decode import MAX_PIXELS, decode
from cnn_mnist.reading.rejector import REJECTOR, judge
from cnn_mnist.reading.result import Digit, Reading

_CUT: Final = 1.3  # price, in nats, of each side that is cut off from other ink
_JOINT: Final = 0.7  # price, in nats, of each piece beyond the first
_REFUSAL: Final = 3.0  # price, in nats, of leaving a piece unexplained
_SMALL: Final = 0.5  # of the median height of the digits: a refused smaller piece is dirt


def read(
    picture: str | Path | bytes,
    model: Model | None = None,
    *,
    rejector: Model | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Reading:
    """Read the digits of an image.

    Args:
        picture: a file or its bytes; see `decode`.
        model: a network of the ten digits; None takes the bundled model.
        rejector: the model of `REJECTOR`, opened by the caller; None opens it with all cores.
        max_pixels: see `decode`.

    Raises:
        ImageError: the image cannot be decoded.
        ModelError: the bundled model is missing.
    """
    classifier, rejector = model or _opened(BUNDLED), rejector or _opened(REJECTOR)
    content = Path(picture) if isinstance(picture, str) else picture
    rows = find_candidates(decode(content, max_pixels=max_pixels))
    return Reading(lines=_without_dirt([_read_row(row, classifier, rejector) for row in rows]))


@cache
def _opened(path: Path) -> Model:
    return Model(path)


def _read_row(candidates: list[Candidate], classifier: Model, rejector: Model) -> list[Digit]:
    """Return the best way to read a row."""
    images = np.stack([candidate.image for candidate in candidates])
    verdict = judge(candidates, images, classifier, rejector)
    prices = [
        -math.log(score) + _CUT * candidate.cuts + _JOINT * (candidate.pieces - 1)
        if reason is None
        else _REFUSAL * candidate.pieces
        for candidate, score, reason in zip(
            candidates, verdict.scores, verdict.reasons, strict=True
        )
    ]
    return [
        Digit.of(
            verdict.probabilities[index],
            candidates[index].box,
            images[index],
            verdict.reasons[index],
        )
        for index in _cheapest_way(candidates, prices)
    ]


def _cheapest_way(candidates: list[Candidate], prices: list[float]) -> list[int]:
    """Return the indices of the candidates that cover a row from end to end most cheaply."""
    best: dict[int, tuple[float, list[int]]] = {0: (0.0, [])}
    # a candidate that stops at a part starts before every candidate that starts there
    for index in sorted(range(len(candidates)), key=lambda index: candidates[index].start):
        start, stop = candidates[index].start, candidates[index].stop
        price, way = best[start]
        if stop not in best or price + prices[index] < best[stop][0]:
            best[stop] = price + prices[index], [*way, index]
    return best[max(best)][1]


def _without_dirt(lines: list[list[Digit]]) -> tuple[tuple[Digit, ...], ...]:
    """Drop refused candidates that are much smaller than the image's digits."""
    heights = [d.box[3] - d.box[1] for line in lines for d in line if d.class_ is not None]
    least = _SMALL * float(np.median(heights)) if heights else 0.0
    kept = (
        tuple(d for d in line if d.class_ is not None or d.box[3] - d.box[1] >= least)
        for line in lines
    )
    return tuple(line for line in kept if line)
