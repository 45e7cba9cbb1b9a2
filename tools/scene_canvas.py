"""Hold a scene while it is drawn: its ink, its printed lines, and what stands where.

Places are given on the page, in pixels of the scene; the canvas turns the whole page.
"""

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt
from scene_digits import FIELD_SIDE, Field

Points = npt.NDArray[np.float64]
_FINE = 4  # bits of a pixel's fraction in OpenCV's drawing
_OUTSIDE = -1e3
_VISIBLE = 0.85  # of a mark's box: one that is cut off more is neither there nor not there


@dataclass(frozen=True, eq=False)
class Mark:
    """A character in a scene."""

    class_: int
    """An index of `cnn_mnist.reading.detector.CLASSES`."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom, in pixels."""
    ink: Field
    """`(height, width)` in [0, 1]: its ink alone, in its box."""
    origin: tuple[int, int]
    """Left and top of `ink`, in pixels."""


@dataclass(eq=False)
class Canvas:
    """A scene of `side` times `side` pixels, on a page that is turned by `matrix`, `(2, 3)`."""

    side: int
    matrix: npt.NDArray[np.float64]
    marks: list[Mark] = field(default_factory=list)
    ignored: list[tuple[float, float, float, float]] = field(default_factory=list)
    """Boxes in which nothing is asked: marks that are cut off by the border."""
    desk: Field | None = None
    """`(side, side)` in [0, 1]: what the page may lie on; None draws a plain desk."""

    def __post_init__(self) -> None:
        """Begin with blank paper."""
        self.ink: Field = np.zeros((self.side, self.side), np.float32)
        self.lines: Field = np.zeros((self.side, self.side), np.float32)

    def _place(self, points: Points) -> Points:
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]

    def digit(
        self,
        class_: int,
        distance: Field,
        middle: Points,
        height: float,
        *,
        shape: npt.NDArray[np.float64],
        strength: float,
        edge: float,
    ) -> None:
        """Draw a digit.

        Args:
            class_: its class.
            distance: see `DigitStock.draw`.
            middle: of its box on the page, `(2,)`.
            height: of its ink or, where that is larger, 0.6 of its width.
            shape: `(2, 2)`: how it is turned and sheared.
            strength: of its ink, in [0, 1].
            edge: width of its outline, in pixels.
        """
        rows, columns = (np.flatnonzero((distance > 0).any(axis=axis)) for axis in (1, 0))
        if len(rows) == 0:
            return
        extent = max(rows[-1] - rows[0] + 1, 0.6 * (columns[-1] - columns[0] + 1))
        scale = height / extent
        linear = self.matrix[:, :2] @ shape * scale
        own = np.array([columns[0] + columns[-1], rows[0] + rows[-1]]) / 2
        offset = self._place(middle[None])[0] - linear @ own
        reach = np.abs(linear) @ np.full(2, 0.5 * FIELD_SIDE) + 2
        centre = linear @ np.full(2, FIELD_SIDE / 2) + offset
        left, top = np.floor(centre - reach).astype(int)
        width, tall = np.ceil(2 * reach).astype(int) + 1
        warp = np.column_stack([linear, offset - (left, top)])
        sharp = cv2.warpAffine(distance, warp, (int(width), int(tall)), borderValue=_OUTSIDE)
        alpha = np.clip(sharp * scale / edge + 0.5, 0, 1).astype(np.float32)
        self._add(class_, alpha, int(left), int(top), strength)

    def strokes(
        self, class_: int | None, lines: list[Points], width: float, strength: float
    ) -> None:
        """Draw lines on the page with a pen; with a class they are a mark, else mere ink."""
        placed = [self._place(line) for line in lines]
        every = np.concatenate(placed)
        left, top = np.floor(every.min(axis=0) - width - 1).astype(int)
        right, bottom = np.ceil(every.max(axis=0) + width + 2).astype(int)
        left, top = max(left, -self.side), max(top, -self.side)
        right, bottom = min(right, 2 * self.side), min(bottom, 2 * self.side)
        if right <= left or bottom <= top:
            return
        alpha = polylines(
            [line - (left, top) for line in placed], width, (bottom - top, right - left)
        )
        if class_ is None:
            self._merge(self.lines, alpha * np.float32(strength), left, top)
        else:
            self._add(class_, alpha, left, top, strength)

    def fill(self, outline: Points, strength: float) -> None:
        """Fill a closed outline `(N, 2)` on the page."""
        image = np.zeros((self.side, self.side), np.uint8)
        points = np.round(self._place(outline) * 2**_FINE).astype(np.int32).reshape(-1, 1, 2)
        cv2.fillPoly(image, [points], 255, cv2.LINE_AA, _FINE)
        ink = image.astype(np.float32) * np.float32(strength / 255)
        np.maximum(self.lines, ink, out=self.lines)

    def lay(self, ink: Field, left: int, top: int) -> None:
        """Put other ink, `(height, width)` in [0, 1], on the page as it is."""
        self._merge(self.lines, ink, left, top)

    def stamp(
        self, class_: int, alpha: Field, middle: Points, height: float, strength: float
    ) -> None:
        """Draw a mark from its picture, `alpha (height, width)`, cropped to its ink."""
        scale = height / alpha.shape[0]
        size = max(1, round(alpha.shape[1] * scale)), max(1, round(height))
        small = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA if scale < 1 else 1)
        linear = self.matrix[:, :2]
        offset = self._place(middle[None])[0] - linear @ np.array(size) / 2
        reach = np.abs(linear) @ np.array(size) / 2 + 1
        centre = linear @ np.array(size) / 2 + offset
        left, top = np.floor(centre - reach).astype(int)
        width, tall = np.ceil(2 * reach).astype(int) + 1
        warp = np.column_stack([linear, offset - (left, top)])
        warped = cv2.warpAffine(small, warp, (int(width), int(tall)))
        self._add(class_, np.asarray(warped, np.float32), int(left), int(top), strength)

    def _add(self, class_: int, alpha: Field, left: int, top: int, strength: float) -> None:
        rows, columns = (np.flatnonzero((alpha > 0.3).any(axis=axis)) for axis in (1, 0))
        if len(rows) == 0:
            return
        alpha = alpha[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        left, top = int(left + columns[0]), int(top + rows[0])
        height, width = alpha.shape
        box = (float(left), float(top), float(left + width), float(top + height))
        shown = self._merge(self.ink, alpha * np.float32(strength), left, top)
        if shown >= _VISIBLE:
            self.marks.append(Mark(class_, box, alpha, (left, top)))
        elif shown > 0:
            self.ignored.append(box)

    def _merge(self, layer: Field, ink: Field, left: int, top: int) -> float:
        """Put ink on a layer; return the share of its area that is inside the scene."""
        height, width = ink.shape
        first_row, first_column = max(0, -top), max(0, -left)
        rows = min(height, self.side - top) - first_row
        columns = min(width, self.side - left) - first_column
        if rows <= 0 or columns <= 0:
            return 0.0
        part = ink[first_row : first_row + rows, first_column : first_column + columns]
        window = layer[max(0, top) :, max(0, left) :][:rows, :columns]
        np.maximum(window, part, out=window)
        return rows * columns / (height * width)


def polylines(lines: list[Points], width: float, shape: tuple[int, int]) -> Field:
    """Draw lines `(N, 2)` in pixels with a round pen; return the ink, `shape`, in [0, 1]."""
    image = np.zeros(shape, np.uint8)
    thickness = max(1, round(width))
    for line in lines:
        points = np.round(line * 2**_FINE).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(image, [points], False, 255, thickness, cv2.LINE_AA, _FINE)
    return image.astype(np.float32) * np.float32(min(1.0, max(width, 0.4)) / 255)


def turned(degrees: float, shear: float = 0.0) -> npt.NDArray[np.float64]:
    """Return the matrix, `(2, 2)`, that turns by an angle and shears along the row."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return np.asarray(turn @ np.array([[1, shear], [0, 1]]))
