"""Read the digits of an image.

`finder` lists everything that may be a digit, rather too much than too little: a broken stroke
as a whole and as its parts, touching digits as one and cut. The classifier and the rejector score
each candidate. Dynamic programming (Viterbi) finds the cheapest way to cover a row; a candidate
that is not a digit may be part of it at a fixed price. Source of the method: LeCun, Bottou, Bengio
and Haffner, "Gradient-based learning applied to document recognition", 1998, section IV.
"""

import math
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from cnn_mnist.inference.model import BUNDLED, Model
from cnn_mnist.reading.decode import MAX_PIXELS, Picture, decode
from cnn_mnist.reading.finder import Candidate, find_candidates
from cnn_mnist.reading.input_types import Source
from cnn_mnist.reading.rejector import REJECTOR, assess
from cnn_mnist.reading.result import Digit, Reading

_CUT_PRICE: Final = 1.3  # in nats, for each side that is cut off from other ink
_JOIN_PRICE: Final = 0.7  # in nats, for each piece after the first
_REFUSAL_PRICE: Final = 3.0  # in nats, for each piece of a refused candidate
_DIRT_HEIGHT: Final = 0.5  # of the digits' median height: lower refused candidates are dirt


def read(
    picture: Source | Picture,
    model: Model | None = None,
    *,
    rejector: Model | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Reading:
    """Read the digits of an image.

    Args:
        picture: an image in any form, see `decode`: a path, bytes, an open file, a Pillow image or
            an array. Of several pages or frames the first that is not blank is read; `pages`
            decodes each, and takes its place here.
        model: a network; None takes the bundled model. The rejector's opinion which digit it is
            counts only where the network's classes are the ten digits.
        rejector: the model in `REJECTOR`, opened by the caller; None opens it with all cores.
        max_pixels: see `decode`.

    Raises:
        ImageError: the image cannot be decoded, or is of another type.
        ModelError: the bundled model is missing.
    """
    classifier, rejector = model or _open_model(BUNDLED), rejector or _open_model(REJECTOR)
    if not isinstance(picture, Picture):
        picture = decode(picture, max_pixels=max_pixels)
    rows = [_read_row(row, classifier, rejector) for row in find_candidates(picture)]
    return Reading(lines=_drop_dirt(rows), page=picture.page)


@cache
def _open_model(path: Path) -> Model:
    return Model(path)


def _read_row(candidates: list[Candidate], classifier: Model, rejector: Model) -> list[Digit]:
    """Choose the candidates that make up the digits of a row."""
    images = np.stack([candidate.image for candidate in candidates])
    assessment = assess(candidates, images, classifier, rejector)
    prices = [
        -math.log(score) + _CUT_PRICE * candidate.cuts + _JOIN_PRICE * (candidate.pieces - 1)
        if reason is None
        else _REFUSAL_PRICE * candidate.pieces
        for candidate, score, reason in zip(
            candidates, assessment.scores, assessment.reasons, strict=True
        )
    ]
    return [
        Digit.of(
            assessment.probabilities[index],
            candidates[index].box,
            images[index],
            assessment.reasons[index],
            class_names=classifier.class_names,
        )
        for index in _cheapest_cover(candidates, prices)
    ]


def _cheapest_cover(candidates: list[Candidate], prices: list[float]) -> list[int]:
    """Return the indices of the candidates that cover a row from end to end at the lowest price."""
    best: dict[int, tuple[float, list[int]]] = {0: (0.0, [])}
    # a candidate that stops at a part starts before every candidate that starts there
    for index in sorted(range(len(candidates)), key=lambda index: candidates[index].start):
        start, stop = candidates[index].start, candidates[index].stop
        price, cover = best[start]
        if stop not in best or price + prices[index] < best[stop][0]:
            best[stop] = price + prices[index], [*cover, index]
    return best[max(best)][1]


def _drop_dirt(lines: list[list[Digit]]) -> tuple[tuple[Digit, ...], ...]:
    """Drop the refused candidates that are much lower than the image's digits."""
    heights = [d.box[3] - d.box[1] for line in lines for d in line if d.class_ is not None]
    least = _DIRT_HEIGHT * float(np.median(heights)) if heights else 0.0
    kept = (
        tuple(d for d in line if d.class_ is not None or d.box[3] - d.box[1] >= least)
        for line in lines
    )
    return tuple(line for line in kept if line)
