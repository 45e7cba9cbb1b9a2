"""What may be digits in a picture: rows of parts, and the runs of them that may be one digit."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from cnn_mnist.reading.decode import Picture
from cnn_mnist.reading.glyph import to_glyph
from cnn_mnist.reading.ink import find_ink
from cnn_mnist.reading.rows import Box, find_parts, ink_of, join, runs, slice_wide
from cnn_mnist.reading.strokes import find_strokes


@dataclass(frozen=True, eq=False)
class Candidate:
    """What may be one digit: a run of the parts of a row."""

    image: npt.NDArray[np.float32]
    """`(28, 28)` in [0, 1], in MNIST's form."""
    box: Box
    """In pixels of the upright picture, before it was reduced."""
    start: int
    """Its first part, from 0."""
    stop: int
    """Before which part it ends."""
    pieces: int
    """Of how many parts that lie apart it is made."""
    cuts: int
    """At how many of its sides, 0 to 2, it is cut off from other ink."""


def find_candidates(picture: Picture) -> list[list[Candidate]]:
    """Find all that may be digits.

    Returns:
        The candidates of each row, rows from top to bottom; each way from part 0 of a row to its
        last part, by candidates that begin where others stop, is one way to read it. Empty where
        there is only paper.
    """
    strokes = find_strokes(find_ink(picture.pixels))
    scale = max(picture.size) / max(picture.pixels.shape[:2])
    found = []
    for whole_row in find_parts(strokes):
        sliced, row = slice_wide(strokes, whole_row)
        cut = [False, *(left.origin == right.origin for left, right in pairwise(row)), False]
        candidates = []
        for start, stop in runs(row):
            part = join(row[start:stop])
            candidates.append(
                Candidate(
                    image=to_glyph(ink_of(sliced, part)),
                    box=_scaled(part.box, scale, picture.size),
                    start=start,
                    stop=stop,
                    pieces=len({part.origin for part in row[start:stop]}),
                    cuts=cut[start] + cut[stop],
                )
            )
        found.append(candidates)
    return found


def _scaled(box: Box, scale: float, size: tuple[int, int]) -> Box:
    left, top, right, bottom = (round(side * scale) for side in box)
    return left, top, min(max(right, left + 1), size[0]), min(max(bottom, top + 1), size[1])
