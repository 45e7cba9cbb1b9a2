"""Lay out what is written on a page: single digits, rows, forms, text, drawings.

A layout writes on the canvas of a hand; `LAYOUTS` says how often each is drawn.
"""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from nondigits import FITTING
from pen import smooth_curve
from scene_canvas import Canvas, Mark, Points
from scene_digits import Generator
from scene_hand import Hand
from scene_marks import WRITTEN_LETTERS, printed_word, written
from shapes import primitive

SIDE: Final = 128
"""Pixels of a scene's side."""
_PAGE: Final = np.array([SIDE, SIDE]) / 2


def _height(random: Generator, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def single(hand: Hand) -> None:
    """One digit, small in the picture or filling it."""
    random, canvas = hand.generator, hand.canvas
    height = SIDE * random.uniform(0.2, 0.98)
    room = (SIDE - height) / 2
    shift = random.uniform(-1, 1, 2) * np.array([max(room, 0.15 * SIDE), room + 2])
    middle = _PAGE + shift
    hand.digit(middle, height)
    if random.random() < 0.3 and canvas.marks:
        surround(canvas, canvas.marks[-1], random)


def surround(canvas: Canvas, mark: Mark, random: Generator) -> None:
    """Draw a frame, a ring, an underline or a corner of a frame around a mark."""
    left, top, right, bottom = mark.box
    middle, half = (
        np.array([left + right, top + bottom]) / 2,
        np.array([right - left, bottom - top]) / 2,
    )
    reach = max(half) * random.uniform(1.15, 1.9) * np.array([1, random.uniform(0.8, 1.2)])
    reach = np.maximum(reach, half * 1.12 + 1)
    inverse = np.linalg.inv(canvas.matrix[:, :2])
    kind = random.integers(5)
    if kind == 0:
        angle = np.linspace(0, 2 * np.pi * random.uniform(0.9, 1.05), 40) + random.uniform(0, 6)
        lines = [np.stack([np.cos(angle), np.sin(angle)], axis=1) * 1.2]
    elif kind == 1:
        corners = random.integers(3, 7)
        angle = np.linspace(0, 2 * np.pi, corners + 1) + random.uniform(0, 6)
        lines = [np.stack([np.cos(angle), np.sin(angle)], axis=1) * 1.7]
    else:
        sides = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)], float)
        lines = [sides[i : i + 2] for i in range(4) if kind != 4 or random.random() < 0.6]
    lines = [
        (
            line * reach
            + random.normal(0, 0.02, line.shape) * max(half)
            + middle
            - canvas.matrix[:, 2]
        )
        @ inverse.T
        for line in lines
    ]
    if lines:
        canvas.strokes(
            None, lines, random.uniform(1, 0.14 * max(half) + 1.5), random.uniform(0.5, 1)
        )


def rows(hand: Hand) -> None:
    """One or several rows."""
    random = hand.generator
    height = _height(random, 9, 64)
    y = random.uniform(0.4, 1.2) * height if random.random() < 0.6 else SIDE / 2
    leading = height * random.uniform(1.05, 2.2)
    for _ in range(int(random.integers(1, 6))):
        count = int(random.integers(1, max(2, min(12, SIDE / height / 0.7))))
        room = max(SIDE - count * height * 0.75, 0)
        hand.row(random.uniform(0.02, 1) * room + 2, y, height, count)
        y += leading
        if y > SIDE - 0.4 * height:
            break


def column(hand: Hand) -> None:
    """Digits one above another."""
    random = hand.generator
    height = _height(random, 9, 50)
    x, y = random.uniform(height / 2, SIDE - height / 2), 0.6 * height
    while y < SIDE - 0.5 * height:
        hand.digit(np.array([x + random.normal(0, 0.1) * height, y]), height)
        y += height * random.uniform(0.95, 1.5)


def scattered(hand: Hand) -> None:
    """Digits anywhere, of several sizes."""
    random = hand.generator
    for _ in range(int(random.integers(2, 9))):
        height = _height(random, 10, 60)
        middle = random.uniform(0.4 * height, SIDE - 0.4 * height, 2)
        boxes = np.array([mark.box for mark in hand.canvas.marks]).reshape(-1, 4)
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        if (np.abs(centres - middle).max(axis=1, initial=1e9) < 0.9 * height).any():
            continue
        hand.digit(middle, height)
        if random.random() < 0.2 and hand.canvas.marks:
            surround(hand.canvas, hand.canvas.marks[-1], random)


def boxes(hand: Hand) -> None:
    """A table, a sudoku or the separate boxes of a form, some of them empty."""
    random, canvas = hand.generator, hand.canvas
    cell = _height(random, 16, 110)
    cells = np.array([cell * random.choice([1, random.uniform(0.7, 1.8)]), cell])
    start = random.uniform(-0.7, 0.5, 2) * cells
    apart = random.choice([0, random.uniform(0.05, 0.4)]) * cell
    width, strength = random.uniform(0.7, max(1, 0.08 * cell)), random.uniform(0.25, 1)
    filled = random.choice([1, random.uniform(0.1, 0.9)])
    fill, printed = random.uniform(0.3 if hand.varied else 0.5, 0.98), random.random() < 0.1
    counts = np.ceil((SIDE - start) / (cells + apart)).astype(int)
    limits = random.integers(1, 12, 2)
    for j in range(min(counts[1], limits[1])):
        for i in range(min(counts[0], limits[0])):
            low = start + np.array([i, j]) * (cells + apart)
            x0, y0, x1, y1 = *low, *(low + cells)
            frame = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)])
            canvas.strokes(None, [frame], width, strength)
            if random.random() < filled:
                middle = low + cells * (0.5 + random.normal(0, 0.06, 2))
                height = fill * cells[1] * random.uniform(0.75, 1.05)
                count = 1 if cells[0] < 1.3 * cells[1] or random.random() < 0.5 else 2
                for number in range(count):
                    shift = (number - (count - 1) / 2) * 0.7 * height
                    hand.digit(
                        middle + np.array([shift, 0]), min(height, 0.95 * cells[0] / count + 4)
                    )
            elif printed:
                printed_word(canvas, x0, y1 - 0.3 * cells[1], 0.3 * cells[1], random, strength)


def cell(hand: Hand) -> None:
    """One cell cut out of a form or a table, with some of its lines and parts of its neighbours."""
    random, canvas = hand.generator, hand.canvas
    inset = random.uniform(-0.04, 0.14, 4) * SIDE
    left, top, right, bottom = inset[0], inset[1], SIDE - inset[2], SIDE - inset[3]
    width, strength = random.uniform(0.8, 0.07 * SIDE), random.uniform(0.3, 1)
    for index, side in enumerate((left, top, right, bottom)):
        if random.random() < 0.75:
            across = np.array([(side, -SIDE), (side, 2 * SIDE)])
            line = across if index % 2 == 0 else across[:, ::-1]
            if random.random() < 0.3:  # the lines of a box of its own end at its corners
                low, high = (top, bottom) if index % 2 == 0 else (left, right)
                line = line.copy()
                line[:, 1 - index % 2] = low, high
            canvas.strokes(None, [line + random.normal(0, 0.8, 2)], width, strength)
    if random.random() < 0.93:
        height = random.uniform(0.3, 0.95) * (bottom - top)
        middle = np.array([left + right, top + bottom]) / 2 + random.normal(0, 0.06, 2) * SIDE
        hand.digit(middle, height)
    for sign_ in (-1, 1):
        if random.random() < 0.2:
            hand.digit(
                np.array([SIDE / 2 + sign_ * SIDE * random.uniform(0.6, 1), SIDE / 2]), 0.6 * SIDE
            )


def ruling(canvas: Canvas, random: Generator) -> None:
    """Rule the page: lines or squares."""
    pitch, width = random.uniform(7, 70), random.uniform(0.4, 1.6)
    strength, offset = random.uniform(0.1, 0.9), random.uniform(0, 1)
    squares = random.random() < 0.4
    for place in np.arange(offset * pitch - SIDE / 2, 1.5 * SIDE, pitch):
        lines = [np.array([(-SIDE, place), (2 * SIDE, place)])]
        if squares:
            lines.append(lines[0][:, ::-1])
        canvas.strokes(None, lines, width, strength)


def text(hand: Hand) -> None:
    """Words in print or by hand, sometimes with a number beside them."""
    random, canvas = hand.generator, hand.canvas
    height, y = _height(random, 6, 40), random.uniform(0.2, 1) * 20
    by_hand = random.random() < 0.4
    pen = {"width": max(1.0, hand.width * height), "strength": hand.strength}
    while y < SIDE:
        left, y = random.uniform(0, 20), y + height * random.uniform(1.2, 2.2)
        while left < SIDE:
            if random.random() < 0.12:
                tall = max(height, 10) * random.uniform(0.9, 1.2)
                before = len(canvas.marks)
                hand.row(left, y - tall / 2, tall, int(random.integers(1, 5)))
                left = max((m.box[2] for m in canvas.marks[before:]), default=left) + 0.5 * height
            elif by_hand:
                for _ in range(random.integers(1, 8)):
                    character = str(random.choice(WRITTEN_LETTERS))
                    middle = np.array([left + 0.3 * height, y - height / 2])
                    tall = height * random.uniform(0.7, 1.1)
                    left += written(canvas, character, middle, tall, random, **pen) + 0.2 * height
                left += height * 0.5
            else:
                left = printed_word(canvas, left, y, height, random, hand.strength) + 0.4 * height


def drawing(hand: Hand) -> None:
    """Shapes, scribbles, single letters, or nothing at all."""
    random, canvas = hand.generator, hand.canvas
    if random.random() < 0.5:
        kind = FITTING[str(random.choice(list(FITTING)))]
        size = int(random.uniform(0.15, 1.1) * SIDE)
        ink = 1 - cv2.resize(kind(random), (size, size), interpolation=cv2.INTER_AREA) / 255
        canvas.lay(ink.astype(np.float32), *random.integers(-20, SIDE - size + 21, 2).tolist())
    for _ in range(int(random.integers(0, 5))):
        size, place = random.uniform(0.1, 1) * SIDE, random.uniform(-0.2, 0.9, 2) * SIDE
        kind = random.integers(4)
        width = random.uniform(1, 0.12 * size)
        if kind == 3:
            canvas.fill(silhouette(random) * size + place, random.uniform(0.2, 1))
        elif kind == 0:
            tall = min(size, 100)
            middle = place + tall / 2
            character = str(random.choice(WRITTEN_LETTERS))
            written(canvas, character, middle, tall, random, width=width, strength=hand.strength)
        else:
            points = (
                primitive(random) if kind == 1 else smooth_curve(random, int(random.integers(2, 9)))
            )
            canvas.strokes(None, [points * size + place], width, random.uniform(0.4, 1))


def silhouette(random: Generator) -> Points:
    """Return the outline of a thing, in about [0, 1]^2: round, angular or both."""
    corners = int(random.integers(3, 14))
    angle = np.sort(random.uniform(0, 2 * np.pi, corners))
    radius = random.uniform(0.2, 0.55, corners)
    if random.random() < 0.5:
        return 0.5 + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    fine = np.linspace(0, 2 * np.pi, 60)
    smooth = np.interp(fine, angle, radius, period=2 * np.pi)
    return 0.5 + smooth[:, None] * np.stack([np.cos(fine), np.sin(fine)], axis=1)


LAYOUTS: dict[Callable[[Hand], None], float] = {
    single: 0.22,
    rows: 0.28,
    column: 0.04,
    scattered: 0.06,
    boxes: 0.16,
    cell: 0.1,
    text: 0.1,
    drawing: 0.13,
}
"""How often each layout is drawn."""
