"""Find what stands in a picture, in reading order, each digit with its ink in MNIST's form."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.reading.acceptance import Acceptance
from cnn_mnist.reading.decode import Picture
from cnn_mnist.reading.detector import CLASSES, LETTER, Box, Detector, Mark
from cnn_mnist.reading.fields import find_fields, fitting, holds
from cnn_mnist.reading.grey import to_grey
from cnn_mnist.reading.ink import InkMask, box_of_ink, image_of_ink
from cnn_mnist.reading.lines import add_to_lines, to_lines
from cnn_mnist.reading.rejector import Rejector
from cnn_mnist.reading.upright import find_upright, turn, turn_back

_FIRM: Final = 0.4  # score: from there on a digit or a letter decides where lines run
_SHOWN: Final = 0.3  # score: what has less and is not accepted is noise, and left out


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
    """Finds characters with three networks, in one thread."""

    def __init__(self) -> None:
        self._detector, self._ink, self._rejector = Detector(), InkMask(), Rejector()

    def find(self, picture: Picture, *, fields: bool = False) -> Findings:
        """Find the characters of a picture; with `fields`, those in the fields of a form."""
        grey = to_grey(picture.pixels)
        marks, quarters = find_upright(self._detector, grey)
        upright, rows = turn(grey, quarters), _lines(marks)
        threshold = self._rejector.threshold
        acceptance = Acceptance.of(marks, rows, self._detector.least_score, threshold)
        # nothing else can be accepted or shown, and masking is what costs
        rows = [[m for m in row if m.score >= _SHOWN or m in acceptance.expected] for row in rows]
        form = fitting(find_fields(upright), marks) if fields else []
        lines = [_inside(rows, field.box) for field in form] or rows
        inks = self._ink.of(upright, [mark.box for line in lines for mark in line])
        images = np.array([image_of_ink(ink) for ink in inks]).reshape(-1, IMAGE_SIZE, IMAGE_SIZE)
        opinions = self._rejector.digit_probabilities(images).tolist()
        found = zip(inks, images, opinions, strict=True)

        def placed(box: Box) -> tuple[int, int, int, int]:
            box = turn_back(box, quarters, grey.shape[1], grey.shape[0])
            return _scaled(box, max(picture.size) / max(grey.shape), picture.size)

        def candidate(mark: Mark) -> Candidate:
            ink, image, opinion = next(found)
            return Candidate(
                image=image,
                box=placed(box_of_ink(ink, mark.box) if mark.is_digit else mark.box),
                is_sure=acceptance.is_accepted(mark, opinion),
                sign=CLASSES[mark.class_] if mark.is_sign else None,
                is_letter=mark.class_ == LETTER,
            )

        return Findings(
            [[candidate(mark) for mark in line] for line in lines if line or form],
            quarters,
            [Place(field.row, field.column, placed(field.box)) for field in form],
        )


def _lines(marks: list[Mark]) -> list[list[Mark]]:
    """Group characters into lines; signs and what is doubtful do not decide where these run."""
    firm = [mark for mark in marks if not mark.is_sign and mark.score >= _FIRM]
    kept = set(firm)
    return add_to_lines(to_lines(firm), [mark for mark in marks if mark not in kept])


def _inside(rows: list[list[Mark]], box: Box) -> list[Mark]:
    """Return the characters whose middle lies in a box, in reading order."""
    return [mark for row in rows for mark in row if holds(box, mark.box)]


def _scaled(box: Box, scale: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Scale a box to a picture of a width and height; it stays inside and keeps a pixel."""
    left, top, right, bottom = (round(side * scale) for side in box)
    left, top = (min(max(0, side), most - 1) for side, most in zip((left, top), size, strict=True))
    return left, top, min(max(right, left + 1), size[0]), min(max(bottom, top + 1), size[1])
