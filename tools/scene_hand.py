"""Write digits and rows by one hand: one writer or pen, one slant, one strength."""

from dataclasses import dataclass

import numpy as np
from scene_canvas import Canvas, Points, turned
from scene_digits import DigitStock, Generator, Style
from scene_marks import foreign_digit, sign


@dataclass(eq=False)
class Hand:
    """Writes digits of one style on a canvas."""

    canvas: Canvas
    stock: DigitStock
    style: Style
    generator: Generator
    varied: bool = True
    """Whether digits are also made wide and narrow, and in more countries' forms."""

    def __post_init__(self) -> None:
        """Choose the pen."""
        random = self.generator
        self.strength = random.uniform(0.75, 1)
        self.edge = random.uniform(0.6, 1.6)
        self.slant = random.normal(0, 0.1)
        self.stretch = float(np.exp(random.normal(0, 0.2))) if self.varied else 1.0
        self.foreign = 0.12 if self.varied else 0.07
        self.width = self.style.pen or float(np.clip(random.normal(0.13, 0.04), 0.03, 0.3))

    def digit(self, middle: Points, height: float, digit: int | None = None) -> None:
        """Write one digit."""
        random = self.generator
        shape = turned(random.normal(0, 5), self.slant + random.normal(0, 0.04))
        shape = shape * (self.stretch, 1)
        if random.random() < self.foreign and digit is None:
            class_, lines = foreign_digit(random, varied=self.varied)
            lines = [(line - 0.5) * (height * random.uniform(0.6, 0.9), height) for line in lines]
            lines = [line @ shape.T + middle for line in lines]
            self.canvas.strokes(class_, lines, self.width * height, self.strength)
            return
        class_, field = self.stock.draw(digit, self.style, random)
        self.canvas.digit(
            class_,
            field,
            middle,
            height,
            shape=shape,
            strength=self.strength,
            edge=self.edge,
        )

    def row(self, left: float, middle: float, height: float, count: int) -> None:
        """Write digits side by side, sometimes with signs between them."""
        random = self.generator
        gap = random.choice([random.uniform(-0.1, 0.05), random.uniform(0.05, 0.4), 0.8])
        signs = random.random() < 0.3
        repeated = int(random.integers(10)) if random.random() < 0.08 else None
        slope = random.normal(0, 0.03)
        start = len(self.canvas.marks) + len(self.canvas.ignored)
        for _ in range(count):
            tall = height * np.exp(random.normal(0, 0.08))
            y = middle + slope * left + random.normal(0, 0.05) * height
            before = len(self.canvas.marks)
            self.digit(np.array([left + 0.3 * tall, y]), tall, repeated)
            wide = 0.62 * tall
            if len(self.canvas.marks) > before:
                box = self.canvas.marks[-1].box
                wide = box[2] - box[0]
            left += max(wide, 0.15 * tall) + (gap + random.normal(0, 0.04)) * tall
            if signs and random.random() < 0.4:
                name = str(random.choice(list(".,-+/:=x")))
                pen = {"width": self.width * height, "strength": self.strength}
                left += sign(self.canvas, name, left, y - tall / 2, tall, **pen) + 0.15 * tall
        if random.random() < 0.12 and len(self.canvas.marks) + len(self.canvas.ignored) > start:
            _underline(self.canvas, left, middle, height, count, random)


def _underline(
    canvas: Canvas, right: float, middle: float, height: float, count: int, random: Generator
) -> None:
    y = middle + height * random.uniform(0.5, 0.8)
    line = np.array([(right - count * height * 0.8, y), (right, y + random.normal(0, 2))])
    canvas.strokes(None, [line], random.uniform(1, 0.15 * height), random.uniform(0.5, 1))
