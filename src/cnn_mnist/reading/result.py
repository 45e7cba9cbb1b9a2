"""Hold the result of reading an image: its digits and its rows."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt


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
    reason: str | None = None
    """Why it was refused; None where it was not."""

    @classmethod
    def of(
        cls,
        probabilities: npt.NDArray[np.float32],
        box: tuple[int, int, int, int],
        image: npt.NDArray[np.float32],
        reason: str | None = None,
    ) -> "Digit":
        """Make a digit from `(classes,)` probabilities; with a reason, a refused candidate."""
        best = int(probabilities.argmax())
        return cls(
            class_=None if reason else best,
            probability=float(probabilities[best]),
            probabilities=tuple(probabilities.tolist()),
            box=box,
            image=image,
            reason=reason,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return `class`, `probability`, `probabilities`, `box`, and `reason` if refused."""
        values = {
            "class": self.class_,
            "probability": self.probability,
            "probabilities": list(self.probabilities),
            "box": list(self.box),
        }
        return values | ({"reason": self.reason} if self.reason else {})


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The digits that were read in an image."""

    lines: tuple[tuple[Digit, ...], ...]
    """Its rows from top to bottom, digits from left to right, refused candidates included."""
    page: int | None = None
    """Which page or frame of several this is, from 1; None where there is only one."""

    @property
    def digits(self) -> tuple[Digit, ...]:
        """Its digits in reading order, refused candidates included."""
        return tuple(digit for line in self.lines for digit in line)

    @property
    def text(self) -> str:
        """The digits' classes, without refused candidates."""
        return "".join(self.text_lines)

    @property
    def text_lines(self) -> tuple[str, ...]:
        """The text row by row, without rows that hold no digit."""
        texts = (
            "".join(str(d.class_) for d in line if d.class_ is not None) for line in self.lines
        )
        return tuple(text for text in texts if text)

    def to_dict(self, separator: str = "") -> dict[str, Any]:
        """Return JSON values: `text`, its rows joined by the separator, `digits`, `page` if set."""
        values: dict[str, Any] = {
            "text": separator.join(self.text_lines),
            "digits": [digit.to_dict() for digit in self.digits],
        }
        return values if self.page is None else values | {"page": self.page}
