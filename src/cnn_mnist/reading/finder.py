"""Find what stands in a picture, in reading order, each digit with its ink in MNIST's form."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.reading.acceptance import Acceptance
from cnn_mnist.reading.decode import Picture
from cnn_mnist.reading.detector import CLASSES, LETTER, Box, Detector, Mark
from cnn_mnist.reading.fields import FormField, find_fields
from cnn_mnist.reading.glyph import to_glyph
from cnn_mnist.reading.grey import to_grey
from cnn_mnist.reading.ink import InkMask, box_of_ink
from cnn_mnist.reading.lines import add_to_lines, to_lines
from cnn_mnist.reading.opencv import Field
from cnn_mnist.reading.rejector import Rejector
from cnn_mnist.reading.upright import find_upright, turn, turn_back

_FIRM: Final = 0.4  # score: from there on a digit or a letter decides where lines run
_SHOWN: Final = 0.3  # score: what has less and is not accepted is noise, and left out
_HEIGHT: Final = 1.2  # of a field: a character around its middle that is higher makes it a loop
_IN_FIELDS: Final = 0.85  # of the digits that are level with fields: else these are not all


@dataclass(frozen=True, eq=False)
class Candidate:
    """A character that was found."""

    image: npt.NDArray[np.float32]
    """`(28, 28)` in [0, 1], in MNIST's form."""
    box: tuple[int, int, int, int]
    """In pixels of the picture at its original size, as `decode` turns it."""
    is_sure: bool = True
    """Whether it is most probably there."""
    sign: str | None = None
    """Which sign it is; None where it is a digit or a letter."""
    is_letter: bool = False

    @property
    def is_digit(self) -> bool:
        """Whether it is a digit."""
        return self.sign is None and not self.is_letter


@dataclass(frozen=True)
class Place:
    """A field of a form."""

    row: int
    column: int
    box: tuple[int, int, int, int]
    """As that of a candidate."""


@dataclass(frozen=True, eq=False)
class Findings:
    """What was found in a picture."""

    lines: list[list[Candidate]]
    """From top to bottom, each from left to right."""
    quarter_turns: int = 0
    """By how many quarter turns clockwise the picture was turned upright."""
    fields: list[Place] = field(default_factory=list)
    """The fields of a form in reading order; empty if not asked for. Where there are some, `lines`
    has one line for each: what stands in it."""


class Finder:
    """Finds characters, with three networks.

    Args:
        threads: threads of each network; 0 takes one for each core.
    """

    def __init__(self, *, threads: int = 1) -> None:
        self._detector, self._ink = Detector(threads=threads), InkMask(threads=threads)
        self._rejector = Rejector(threads=threads)

    def find(self, picture: Picture, *, fields: bool = False) -> Findings:
        """Find the characters of a picture; with `fields`, those in the fields of a form."""
        grey = to_grey(picture.pixels)
        marks, quarters = find_upright(self._detector, grey)
        upright = turn(grey, quarters)
        form = _fitting(find_fields(upright), marks) if fields else []
        lines = [_inside(marks, field.box) for field in form] or _lines(marks)
        inks = self._ink.of(upright, [mark.box for line in lines for mark in line])
        images = [to_image(ink) for ink in inks]
        opinions = self._rejector.digit_probabilities(np.array(images).reshape(-1, 28, 28)).tolist()
        acceptance = Acceptance.of(
            marks, lines, self._detector.least_score, self._rejector.threshold
        )
        found = zip(inks, images, opinions, strict=True)

        def placed(box: Box) -> tuple[int, int, int, int]:
            box = turn_back(box, quarters, grey.shape[1], grey.shape[0])
            return _scaled(box, max(picture.size) / max(grey.shape), picture.size)

        def candidate(mark: Mark) -> Candidate:
            ink, image, opinion = next(found)
            is_digit = mark.class_ < LETTER
            return Candidate(
                image=image,
                box=placed(box_of_ink(ink, mark.box) if is_digit else mark.box),
                is_sure=acceptance.is_accepted(mark, opinion),
                sign=CLASSES[mark.class_] if mark.class_ > LETTER else None,
                is_letter=mark.class_ == LETTER,
            )

        pairs = [[(mark, candidate(mark)) for mark in line] for line in lines]
        shown = [[c for mark, c in line if c.is_sure or mark.score >= _SHOWN] for line in pairs]
        return Findings(
            shown if form else [line for line in shown if line],
            quarters,
            [Place(field.row, field.column, placed(field.box)) for field in form],
        )


def _lines(marks: list[Mark]) -> list[list[Mark]]:
    """Group characters into lines; signs and what is doubtful do not decide where these run."""
    firm = [mark for mark in marks if mark.class_ <= LETTER and mark.score >= _FIRM]
    others = [mark for mark in marks if mark not in set(firm)]
    return add_to_lines(to_lines(firm), others)


def _fitting(form: list[FormField], marks: list[Mark]) -> list[FormField]:
    """Return the fields of a form, or none where many digits stand beside them.

    The loop of a character is not a field, and half a form would hide digits; those above and
    below its rows are headings and the like.
    """
    firm = [mark for mark in marks if mark.score >= _FIRM]
    form = [
        field
        for field in form
        if not any(_holds(m.box, field.box) and m.side > _HEIGHT * _height(field) for m in firm)
    ]
    digits = [
        mark for mark in firm if mark.class_ < LETTER and any(_is_level(f, mark) for f in form)
    ]
    inside = sum(any(_holds(field.box, mark.box) for field in form) for mark in digits)
    return form if len(form) > 1 and inside >= _IN_FIELDS * len(digits) else []


def _height(field: FormField) -> float:
    return field.box[3] - field.box[1]


def _is_level(field: FormField, mark: Mark) -> bool:
    return field.box[1] <= (mark.box[1] + mark.box[3]) / 2 < field.box[3]


def _holds(box: Box, other: Box) -> bool:
    """Return whether the middle of another box lies in a box."""
    x, y = (other[0] + other[2]) / 2, (other[1] + other[3]) / 2
    return box[0] <= x < box[2] and box[1] <= y < box[3]


def _inside(marks: list[Mark], box: Box) -> list[Mark]:
    """Return the characters whose middle lies in a box, in reading order."""
    inside = [mark for mark in marks if _holds(box, mark.box)]
    return [mark for line in _lines(inside) for mark in line]


def to_image(ink: Field) -> npt.NDArray[np.float32]:
    """Bring ink to MNIST's form; blank where there is none."""
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis=axis)) for axis in (1, 0))
    if len(rows) == 0:
        return np.zeros((28, 28), np.float32)
    return to_glyph(np.pad(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1))


def _scaled(box: Box, scale: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Scale a box to a picture of a width and height; it stays inside and keeps a pixel."""
    left, top, right, bottom = (round(side * scale) for side in box)
    left, top = (min(max(0, side), most - 1) for side, most in zip((left, top), size, strict=True))
    return left, top, min(max(right, left + 1), size[0]), min(max(bottom, top + 1), size[1])
