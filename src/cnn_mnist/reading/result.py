"""Hold the result of reading an image: its digits and its rows."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cnn_mnist.data.class_names import are_numbers, default_names


@dataclass(frozen=True, kw_only=True)
class Digit:
    """One digit that was read, or a candidate that was refused."""

    class_: int | None
    """None where it is not a digit."""
    probability: float
    """The probability of the most probable class, in [0, 1]."""
    probabilities: tuple[float, ...]
    """The probability of each class."""
    box: tuple[int, int, int, int]
    """Left, top, right, bottom in pixels; right and bottom are exclusive."""
    image: npt.NDArray[np.float32] = field(repr=False, compare=False)
    """`(28, 28)` in [0, 1]: the network's input."""
    class_names: tuple[str, ...] = field(default=(), repr=False)
    """The name of each class; where none are given, `0`, `1` and so on."""
    reason: str | None = None
    """Why it was refused; None where it was not."""
    sign: str | None = None
    """Which sign it is, such as `.` or `-`; None where it is not one. It has no class."""

    def __post_init__(self) -> None:
        names = self.class_names or default_names(len(self.probabilities))
        object.__setattr__(self, "class_names", names)

    @classmethod
    def of(
        cls,
        probabilities: npt.NDArray[np.float32],
        box: tuple[int, int, int, int],
        image: npt.NDArray[np.float32],
        reason: str | None = None,
        *,
        class_names: tuple[str, ...] = (),
        sign: str | None = None,
    ) -> "Digit":
        """Make a digit or a sign; with a reason, a refused one. Probabilities: `(classes,)`."""
        best = int(probabilities.argmax())
        return cls(
            class_=None if reason or sign else best,
            probability=float(probabilities[best]),
            probabilities=tuple(probabilities.tolist()),
            box=box,
            image=image,
            class_names=class_names,
            reason=reason,
            sign=sign,
        )

    @property
    def name(self) -> str | None:
        """The name of its class, or the sign; None where it was refused."""
        if self.reason is not None:
            return None
        return self.sign if self.class_ is None else self.class_names[self.class_]

    def to_dict(self) -> dict[str, Any]:
        """Return `class`, `probability`, `probabilities`, `box`, and `reason` if refused.

        Where the classes have names other than their numbers, `name` is there, too. A sign has
        `sign`, and no class.
        """
        named = not are_numbers(self.class_names)
        values = {
            "class": self.class_,
            **({"name": self.name} if named else {}),
            "probability": self.probability,
            "probabilities": list(self.probabilities),
            "box": list(self.box),
        }
        values |= {"sign": self.sign} if self.sign else {}
        return values | ({"reason": self.reason} if self.reason else {})


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a form, and what stands in it."""

    row: int
    """From 1."""
    column: int
    """From 1; fields that begin at about the same place are in one column."""
    box: tuple[int, int, int, int]
    """See `Digit`."""
    digits: tuple[Digit, ...]
    """From left to right; empty where nothing stands in it."""

    @property
    def text(self) -> str:
        """The names of the digits' classes, see `Reading.text`."""
        return _join(self.digits)

    def to_dict(self) -> dict[str, Any]:
        """Return `row`, `column`, `text` and `box`."""
        return {"row": self.row, "column": self.column, "text": self.text, "box": list(self.box)}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The digits that were read in an image."""

    lines: tuple[tuple[Digit, ...], ...]
    """Its rows from top to bottom, digits from left to right, refused candidates included."""
    page: int | None = None
    """Which page or frame of several this is, from 1; None where there is only one."""
    fields: tuple[Field, ...] | None = None
    """The fields of a form, row by row; empty where none were found, None if not asked for. Where
    there are some, each line is a row of them."""
    turned: int = 0
    """By how many degrees clockwise the picture was turned upright: 0, 90, 180 or 270. Boxes are
    those of the picture as it was."""

    @property
    def digits(self) -> tuple[Digit, ...]:
        """Its digits in reading order, refused candidates included."""
        return tuple(digit for line in self.lines for digit in line)

    @property
    def text(self) -> str:
        """The names of the digits' classes, without refused candidates.

        Names of one character each follow one another; longer ones are separated by spaces.
        """
        return _space(self.digits).join(self.text_lines)

    @property
    def text_lines(self) -> tuple[str, ...]:
        """The text row by row, without rows that hold no digit."""
        return tuple(text for text in map(_join, self.lines) if text)

    def to_dict(self, separator: str | None = None) -> dict[str, Any]:
        """Return JSON values: `text`, `digits`, and `fields`, `page`, `turned` if there are any.

        Args:
            separator: joins the rows of the text; None joins them as `text` does.
        """
        values: dict[str, Any] = {
            "text": self.text if separator is None else separator.join(self.text_lines),
            "digits": [digit.to_dict() for digit in self.digits],
        }
        if self.fields is not None:
            values["fields"] = [field.to_dict() for field in self.fields]
        values |= {} if self.page is None else {"page": self.page}
        return values | ({"turned": self.turned} if self.turned else {})


def _join(digits: tuple[Digit, ...]) -> str:
    """Return the names of digits, without those that were refused."""
    return _space(digits).join(digit.name for digit in digits if digit.name is not None)


def _space(digits: tuple[Digit, ...]) -> str:
    """Return what separates two names: nothing where every class has one character."""
    names = {name for digit in digits[:1] for name in digit.class_names}
    return " " if any(len(name) > 1 for name in names) else ""
