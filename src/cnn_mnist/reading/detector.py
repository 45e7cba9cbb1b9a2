"""Find the characters in a picture: digits, signs and letters, with their boxes.

The detector is a fully convolutional network, see tools/train_finder.py. It looks at the whole
picture reduced to `_COARSEST` pixels, and again, twice as large, as long as it sees small
characters or none. What it finds is where something stands and what it may be; which digit a digit
is, the network that the user chose says, see `reader`.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.inference.session import open_session
from cnn_mnist.reading.grey import Grey, border_level, normalise, resize

DETECTOR: Final = Path(__file__).parent / "detector.onnx"
CLASSES: Final = (*"0123456789", "letter", *".,-+/:=x")
"""What a character may be; the first ten are the digits."""
LETTER: Final = CLASSES.index("letter")
STRIDE: Final = 4
"""Pixels from one place where the detector looks for a character to the next."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""

_MULTIPLE: Final = 16  # pixels: the sides of the detector's input are divisible by it
_LEAST_SIDE: Final = 48  # pixels, of the detector's input
_COARSEST: Final = 128  # pixels of the longest side at the first look
_FINEST: Final = 1024
_SMALL_PICTURE: Final = 400  # pixels: the digits of smaller pictures often touch the border
_SMALL_MARGIN, _MARGIN = 0.12, 0.03  # of the longest side, that are added around
_SMALL: Final = 26  # pixels: characters that are smaller are looked at again, twice as large
_LEAST, _LEAST_AT_FINEST = 9, 6  # pixels: smaller characters are not accepted
_LARGEST: Final = 72  # pixels: of the characters that a finer look may add
_LEAST_SCORE: Final = 0.15
_SMALL_SCORE, _GOOD_SCORE = 0.2, 0.3  # that decide whether to look again
_SAME: Final = 0.4  # of the union of two boxes: if they share so much they are of one character
_INSIDE: Final = 0.7  # of the smaller box's area, of two boxes of the same kind


@dataclass(frozen=True, eq=False)
class Mark:
    """A character that was found."""

    box: Box
    scores: npt.NDArray[np.float32]
    """`(classes,)` in [0, 1]: how surely it is each of `CLASSES`."""

    @cached_property
    def class_(self) -> int:
        """The index in `CLASSES` of what it is most surely."""
        return int(self.scores.argmax())

    @cached_property
    def score(self) -> float:
        """How surely it is that."""
        return float(self.scores.max())

    @property
    def is_digit(self) -> bool:
        """Whether it is most surely a digit."""
        return self.class_ < LETTER

    @property
    def is_sign(self) -> bool:
        """Whether it is most surely a sign."""
        return self.class_ > LETTER

    @property
    def side(self) -> float:
        """The longer side of its box."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])


class Detector:
    """Finds characters, in one thread."""

    def __init__(self) -> None:
        self._session = open_session(str(DETECTOR), threads=1)

    @cached_property
    def least_score(self) -> float:
        """The score from which on a digit is accepted."""
        return float(self._session.get_modelmeta().custom_metadata_map["least_score"])

    def find(self, grey: Grey) -> list[Mark]:
        """Find the characters of a picture, surest first; boxes in its pixels."""
        longest = max(grey.shape)
        small = longest < _SMALL_PICTURE
        margin = round((_SMALL_MARGIN if small else _MARGIN) * longest)
        if small:
            padded = np.pad(grey, margin, constant_values=border_level(grey))
        else:
            padded = np.pad(grey, margin, mode="edge")
        marks, side, longest = [], _COARSEST, max(padded.shape)
        finest = _COARSEST
        while finest < min(_FINEST, longest):
            finest *= 2
        while True:
            factor = side / longest
            least = _LEAST_AT_FINEST if side == finest else _LEAST
            largest = np.inf if side == _COARSEST else _LARGEST
            seen = self._look(padded, factor)
            seen = [mark for mark in seen if least <= factor * mark.side <= largest]
            marks += seen
            if side == finest or _suffices(seen, factor):
                break
            side *= 2
        moved = [_moved(mark, -margin) for mark in marks]
        return _without_doubles([mark for mark in moved if _is_inside(mark.box, grey.shape)])

    def _look(self, grey: Grey, factor: float) -> list[Mark]:
        """Find the characters of a picture at one resolution; boxes in the picture's pixels."""
        scaled = normalise(resize(grey, factor))
        sides = (max(_LEAST_SIDE, -(-side // _MULTIPLE) * _MULTIPLE) for side in scaled.shape)
        rest = [(0, wanted - side) for wanted, side in zip(sides, scaled.shape, strict=True)]
        inputs = {"pictures": np.pad(scaled, rest, mode="edge")[None, None]}
        scores, boxes = (output[0] for output in self._session.run(None, inputs))
        height, width = scaled.shape
        return [
            replace(mark, box=_scaled(mark.box, 1 / factor))
            for mark in _peaks(scores, boxes)
            if mark.box[0] + mark.box[2] < 2 * width and mark.box[1] + mark.box[3] < 2 * height
        ]


def _suffices(seen: list[Mark], factor: float) -> bool:
    """Return whether a look at one resolution shows characters, and none that are small."""
    small = any(m.score > _SMALL_SCORE and factor * m.side < _SMALL for m in seen)
    return not small and any(m.score > _GOOD_SCORE and factor * m.side >= _SMALL for m in seen)


def _peaks(scores: npt.NDArray[np.float32], boxes: npt.NDArray[np.float32]) -> list[Mark]:
    """Return the characters at the peaks of the scores, boxes in the detector's pixels.

    Args:
        scores: `(classes, h, w)`, 0 beside the peaks.
        boxes: `(4, h, w)`: see tools/detector_network.py.
    """
    rows, columns = np.nonzero(scores.max(axis=0) > _LEAST_SCORE)
    marks = []
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        x, y, width, height = boxes[:, row, column].tolist()
        x, y = (column + x + 0.5) * STRIDE, (row + y + 0.5) * STRIDE
        half = (np.exp([width, height]) * STRIDE / 2).tolist()
        box = (x - half[0], y - half[1], x + half[0], y + half[1])
        marks.append(Mark(box, scores[:, row, column]))
    return marks


def _without_doubles(marks: list[Mark]) -> list[Mark]:
    """Keep the surest of the boxes of one character (non-maximum suppression)."""
    marks = sorted(marks, key=lambda mark: -mark.score)
    boxes = np.array([mark.box for mark in marks]).reshape(-1, 4)
    is_sign = np.array([mark.is_sign for mark in marks], np.bool_)
    left, kept = np.ones(len(marks), np.bool_), []
    for place, mark in enumerate(marks):
        if left[place]:
            kept.append(mark)
            left &= ~_are_doubles(boxes, boxes[place], is_sign == is_sign[place])
    return kept


def _are_doubles(
    boxes: npt.NDArray[np.float64],
    box: npt.NDArray[np.float64],
    same_kind: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """Return which of `(N, 4)` boxes are of the same character as another box."""
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    areas, area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), np.prod(box[2:] - box[:2])
    inside = same_kind & (common > _INSIDE * np.minimum(areas, area))
    return np.asarray((common > _SAME * (areas + area - common)) | inside, np.bool_)


def _is_inside(box: Box, shape: tuple[int, ...]) -> bool:
    """Return whether the middle of a box lies in a picture: nothing stands in its margin."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return 0 <= x < shape[1] and 0 <= y < shape[0]


def _scaled(box: Box, factor: float) -> Box:
    left, top, right, bottom = box
    return left * factor, top * factor, right * factor, bottom * factor


def _moved(mark: Mark, by: int) -> Mark:
    left, top, right, bottom = mark.box
    return replace(mark, box=(left + by, top + by, right + by, bottom + by))
