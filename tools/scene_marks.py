"""Draw what is not one of MNIST's digits: signs, letters, words, digits of other countries."""

import string
from functools import cache
from typing import Any

import cv2
import numpy as np
from letters import BOOK, HAND, matplotlib_font
from PIL import Image, ImageDraw, ImageFont
from scene_canvas import Canvas, Points
from scene_digits import Field, Generator

from cnn_mnist.reading.detector import CLASSES, LETTER

SIGNS = {
    "-": "0,50 100,50",
    "+": "50,0 50,100 / 0,50 100,50",
    "/": "0,100 60,0",
    "=": "0,35 100,35 / 0,65 100,65",
    "x": "0,10 100,90 / 0,90 100,10",
    ":": "0,30 1,30 / 0,80 1,80",
    ".": "0,99 2,100",
    ",": "10,90 12,98 0,118",
}
"""Signs by name: lines separated by /, through places in hundredths of the height of a digit."""
_SIZES = {"-": 0.5, "+": 0.55, "/": 1.0, "=": 0.55, "x": 0.5, ":": 0.8, ".": 1.0, ",": 1.0}
"""Of the height of a digit."""
_LEVEL = {"-": 0.5, "+": 0.5, "=": 0.5, "x": 0.55}
"""How far below the top of the digits their middle stands, in heights of a digit."""

# a letter written like a digit is that digit to a reader who sees it alone
WRITTEN_LETTERS = [c for c in string.ascii_letters if c not in "OoQDIliSsZzBbGgqjJyLt"]


def sign(canvas: Canvas, name: str, left: float, top: float, height: float, **pen: float) -> float:
    """Draw a sign beside digits of a height; return its width."""
    size = height * _SIZES[name]
    lines = [line * size for line in parse(SIGNS[name])]
    width = max(float(np.ptp(np.concatenate(lines)[:, 0])), pen["width"])
    shift = np.array([left, top + height * _LEVEL.get(name, size / height / 2) - size / 2])
    thickness = pen["width"] * (1.6 if name in ".:" else 1.0)
    canvas.strokes(
        CLASSES.index(name), [line + shift for line in lines], thickness, pen["strength"]
    )
    return width


def parse(drawing: str) -> list[Points]:
    """Parse lines that are separated by /, through places in hundredths."""
    return [
        np.array([place.split(",") for place in line.split()], np.float64) / 100
        for line in drawing.split("/")
        if line.strip()
    ]


@cache
def _hershey(name: str) -> Any:
    from HersheyFonts import HersheyFonts

    font = HersheyFonts()
    font.load_default_font(name)
    return font


@cache
def _strokes(font: str, character: str) -> tuple[Points, ...]:
    lines = [np.array(line, np.float64) for line in _hershey(font).strokes_for_text(character)]
    return tuple(line for line in lines if len(line) > 1)


def written(
    canvas: Canvas,
    character: str,
    middle: Points,
    height: float,
    generator: Generator,
    **pen: float,
) -> float:
    """Draw a character of a single-stroke font by an unsteady hand; return its width."""
    lines = _strokes(str(generator.choice(HAND)), character)
    if not lines:
        return height / 2
    every = np.concatenate(lines)
    low, span = every.min(axis=0), np.ptp(every, axis=0)
    scale = height / max(span[1], 0.5 * span[0], 1)
    phase, wave = generator.uniform(0, 6, 2), 0.05 * height
    placed = []
    for line in lines:
        points = (line - low - span / 2) * scale
        bend = np.sin(points[:, ::-1] / height * 4 + phase) * wave
        placed.append(points + bend + middle)
    class_ = int(character) if character.isdigit() else LETTER
    canvas.strokes(class_, placed, pen["width"], pen["strength"])
    return float(span[0] * scale)


def foreign_digit(generator: Generator, *, varied: bool) -> tuple[int, list[Points]]:
    """Draw a digit in a form that MNIST's writers hardly used.

    A 1 with a flag and perhaps a foot, a 7 with a bar or with a serif, a 0 with a slash, an open 4,
    a 9 with a straight leg.

    Returns:
        Its class, and its lines in [0, 1]^2.
    """
    if varied and generator.random() < 0.45:
        return curved_digit(generator)
    jitter = generator.normal(0, 0.05, 8)
    kind = generator.integers(7)
    if kind <= 1:
        flag, drop = generator.uniform(0.15, 0.5), generator.uniform(0.12, 0.6)
        lines = [[(0.5 - flag, drop), (0.5 + jitter[0], 0), (0.5 + jitter[1], 1)]]
        if generator.random() < 0.4:
            foot = generator.uniform(0.12, 0.35)
            lines.append([(0.5 - foot, 1), (0.5 + foot, 1 + jitter[2] / 2)])
        return 1, [np.array(line) for line in lines]
    if kind <= 3:
        left, end = 0.2 + jitter[0], generator.uniform(0.3, 0.55)
        lines = [[(left, jitter[1]), (0.8, 0), (end, 1)]]
        if generator.random() < 0.7:
            lines.append([(0.36 + jitter[2], 0.5), (0.8 + jitter[3], 0.5 + jitter[4])])
        if generator.random() < 0.3:
            lines[0].insert(0, (left, 0.15))
        return 7, [np.array(line) for line in lines]
    if kind == 4:
        angle = np.linspace(0, 2 * np.pi, 30)
        ring = np.stack([0.5 + 0.32 * np.cos(angle), 0.5 + 0.5 * np.sin(angle)], axis=1)
        return 0, [ring, np.array([(0.25, 0.85), (0.75 + jitter[0], 0.15)])]
    if kind == 5:
        stem = 0.68 + jitter[0]
        first = [(0.45 + jitter[1], 0), (0.1, 0.62), (0.95, 0.62 + jitter[2])]
        second = [(stem, generator.uniform(0, 0.4)), (stem + jitter[3], 1)]
        return 4, [np.array(first), np.array(second)]
    angle = np.linspace(-0.2, 2 * np.pi, 24)
    loop = np.stack([0.5 + 0.28 * np.cos(angle), 0.28 + 0.28 * np.sin(angle)], axis=1)
    return 9, [np.concatenate([loop, [(0.78, 0.28), (0.74 + jitter[0], 1)]])]


CURVED = (
    (2, "15,25 25,3 60,0 78,20 60,50 5,100 150,100"),
    (2, "10,20 40,0 75,15 50,60 15,95 25,105 45,90 100,98"),
    (4, "72,100 72,0 5,66 100,66"),
    (4, "60,0 8,60 90,62 / 70,40 66,100"),
    (6, "85,8 50,0 20,30 12,70 40,100 78,92 82,65 40,62"),
    (6, "60,0 15,45 20,95 70,95 75,60 20,65"),
    (9, "75,30 40,38 18,15 45,-5 76,12 76,60 70,95 40,105 10,92"),
    (9, "78,8 35,0 15,25 40,45 76,25 80,5 74,100"),
    (5, "28,0 24,45 60,38 82,68 60,100 15,95 / 28,3 85,0"),
    (8, "80,10 35,0 30,30 75,65 60,100 20,95 25,65 85,12"),
    (3, "15,8 65,0 70,30 35,45 80,60 70,98 10,92"),
    (7, "10,15 14,3 85,0 45,60 38,100"),
)
"""Digits as a pen draws them, in the form of `SIGNS`; corners are rounded."""


def curved_digit(generator: Generator) -> tuple[int, list[Points]]:
    """Draw one of `CURVED`, its places moved a little and its corners cut twice (Chaikin, 1974)."""
    class_, drawing = CURVED[generator.integers(len(CURVED))]
    lines = []
    for line in parse(drawing):
        points = line + generator.normal(0, 0.05, line.shape)
        for _ in range(int(generator.integers(1, 4)) if len(points) > 2 else 0):
            near, far = points[:-1], points[1:]
            cut = np.stack([0.75 * near + 0.25 * far, 0.25 * near + 0.75 * far], axis=1)
            points = np.concatenate([points[:1], cut.reshape(-1, 2), points[-1:]])
        lines.append(points)
    return class_, lines


@cache
def _font(name: str, size: int) -> Any:
    return ImageFont.truetype(matplotlib_font(name) if "/" not in name else name, size)


@cache
def printed(character: str, font: int) -> Field | None:
    """Return a printed character, cropped to its ink, in [0, 1]; None where it is blank."""
    face = _font([*BOOK, "DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf"][font], 48)
    image = Image.new("L", (96, 96))
    ImageDraw.Draw(image).text((48, 48), character, 255, face, anchor="mm")
    box = image.getbbox()
    return None if box is None else np.asarray(image.crop(box), np.float32) / 255


PRINTED_FONTS = len(BOOK) + 3


def printed_word(
    canvas: Canvas, left: float, base: float, height: float, generator: Generator, strength: float
) -> float:
    """Print a word whose capitals have a height on a line; return where it ends."""
    font, bold = int(generator.integers(PRINTED_FONTS)), generator.random() < 0.2
    letters = list(string.ascii_lowercase) * 2 + list(string.ascii_uppercase)
    word = [str(generator.choice(letters)) for _ in range(generator.integers(2, 10))]
    if generator.random() < 0.3:
        word = [letter.upper() for letter in word]
    reference = printed("H", font)
    assert reference is not None
    scale = height / reference.shape[0]
    for letter in word:
        alpha = printed(letter, font)
        if alpha is None:
            continue
        if bold:
            alpha = cv2.dilate(alpha, np.ones((3, 3), np.uint8))
        tall, wide = alpha.shape[0] * scale, alpha.shape[1] * scale
        drop = 0.25 * tall if letter in "gjpqy" else 0
        middle = np.array([left + wide / 2, base + drop - tall / 2])
        canvas.stamp(LETTER, alpha, middle, tall, strength)
        left += wide + 0.12 * height
    return left
