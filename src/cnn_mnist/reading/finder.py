"""Find everything in a picture that may be a digit: runs of neighbouring parts in each row."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from cnn_mnist.reading.decode import Picture
from cnn_mnist.reading.glyph import to_glyph
from cnn_mnist.reading.ink import find_ink
from cnn_mnist.reading.margin import add_margin
from cnn_mnist.reading.rows import Box, extract_ink, find_parts, join, runs, slice_wide
from cnn_mnist.reading.strokes import find_strokes


@dataclass(frozen=True, eq=False)
class Candidate:
    """A run of neighbouring parts of a row that may be one digit."""

    image: npt.NDArray[np.float32]
    """`(28, 28)` in [0, 1], in MNIST's form."""
    box: Box
    """In pixels of the upright picture at its original size."""
    start: int
    """The index of its first part in the row."""
    stop: int
    """The index after its last part."""
    pieces: int
    """The number of separate parts in it; slices of one part count once."""
    cuts: int
    """The number of its sides, 0 to 2, that are cut off from other ink."""


def find_candidates(picture: Picture) -> list[list[Candidate]]:
    """Find everything that may be a digit.

    Returns:
        The candidates of each row, rows from top to bottom. A chain of candidates, from part 0 of a
        row to its last part, in which each begins where the one before stops, is one way to read
        the row. Empty where there is only paper.
    """
    pixels, margin = add_margin(picture.pixels)
    strokes = find_strokes(find_ink(pixels))
    scale = max(picture.size) / max(picture.pixels.shape[:2])
    rows = []
    for whole_row in find_parts(strokes):
        sliced, row = slice_wide(strokes, whole_row)
        cut = [False, *(left.origin == right.origin for left, right in pairwise(row)), False]
        candidates = []
        for start, stop in runs(row):
            part = join(row[start:stop])
            candidates.append(
                Candidate(
                    image=to_glyph(extract_ink(sliced, part)),
                    box=_scale_box(part.box, margin, scale, picture.size),
                    start=start,
                    stop=stop,
                    pieces=len({part.origin for part in row[start:stop]}),
                    cuts=cut[start] + cut[stop],
                )
            )
        rows.append(candidates)
    return rows


def _scale_box(box: Box, margin: int, scale: float, size: tuple[int, int]) -> Box:
    """Scale a box to a picture of a width and height, without the margin; it keeps a pixel."""
    left, top, right, bottom = (max(0, round((side - margin) * scale)) for side in box)
    return left, top, min(max(right, left + 1), size[0]), min(max(bottom, top + 1), size[1])
