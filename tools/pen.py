"""Draw lines with a pen whose hand is not steady, from a seed."""

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Points: TypeAlias = npt.NDArray[np.float64]
"""`(N, 2)`: places x, y in [0, 1]."""
Drawing: TypeAlias = npt.NDArray[np.uint8]
"""`(height, width)`: dark ink on white."""
Generator: TypeAlias = np.random.Generator

SIDE = 160


def pen(lines: list[Points], generator: Generator, *, wobble: float = 0.06) -> Drawing:
    """Draw lines in [0, 1]^2 with one pen, slightly turned, sheared and warped.

    Args:
        lines: each drawn without lifting the pen.
        generator: draws the width of the pen and the distortions.
        wobble: amplitude of the warp, as a share of the side.
    """
    width = int(generator.integers(4, 20))
    turn, shear = generator.normal(0, 0.12), generator.normal(0, 0.15)
    matrix = np.array([[math.cos(turn), shear - math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    stretch = np.exp(generator.normal(0, 0.12, 2)) * SIDE * 0.62
    phase = generator.uniform(0, 2 * math.pi, (2, 2))
    image = Image.new("L", (SIDE, SIDE), 255)
    draw = ImageDraw.Draw(image)
    for line in lines:
        fine = _resampled(line) - 0.5
        warp = wobble * np.sin(fine[:, ::-1] * 5 + phase[0]) + wobble / 2 * np.sin(
            fine * 9 + phase[1]
        )
        places = (fine + warp) * stretch @ matrix.T + SIDE / 2
        draw.line([tuple(place) for place in places], fill=0, width=width, joint="curve")
        for x, y in (places[0], places[-1]):
            radius = width / 2
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(1)))


def _resampled(line: Points) -> Points:
    """Return a line with more points between its corners, so that it can be bent."""
    places, steps = np.arange(len(line)), max(1, 60 // len(line))
    fine = np.linspace(0, len(line) - 1, (len(line) - 1) * steps + 1)
    return np.stack([np.interp(fine, places, line[:, axis]) for axis in (0, 1)], axis=1)


def polylines(drawing: str) -> list[Points]:
    """Parse lines that are separated by /, through places in hundredths of the side."""
    return [
        np.array([place.split(",") for place in line.split()], np.float64) / 100
        for line in drawing.split("/")
    ]


def smooth_curve(generator: Generator, corners: int) -> Points:
    """Return a curve that is the sum of a few random waves."""
    time = np.linspace(0, 1, 80)
    curve = np.zeros((80, 2))
    for wave in range(1, corners + 1):
        size = generator.normal(0, 1 / wave**0.7, 2)
        phase = generator.uniform(0, 7, 2)
        curve += size * np.sin(time[:, None] * wave * 1.4 * math.pi + phase)
    curve -= curve.min(axis=0)
    return np.asarray(curve / max(curve.max(), 1e-9))


def ring(generator: Generator) -> Points:
    """Return an ellipse that begins anywhere."""
    angle = generator.uniform(0, 2 * math.pi) + np.linspace(0, 2 * math.pi, 40)
    radii = generator.uniform(0.25, 0.5, 2)
    return 0.5 + radii * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def corners(generator: Generator, *, closed: bool) -> Points:
    """Return a line through three to six random corners."""
    places = generator.uniform(0, 1, (int(generator.integers(3, 7)), 2))
    return np.concatenate([places, places[:1]]) if closed else places
