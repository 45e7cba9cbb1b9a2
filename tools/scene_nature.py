"""Draw pictures that look like photographs, drawings and patterns of things without any digit."""

import cv2
import numpy as np
from scene_digits import Field, Generator

_OCTAVES = (3, 6, 12, 24, 48, 96)


def nature(side: int, generator: Generator) -> Field:
    """Return a grey picture without a character, `(side, side)` in [0, 1]."""
    kinds = [fractal, leaves, leaves, pattern, pattern, icon, icon, icon]
    picture = kinds[generator.integers(len(kinds))](side, generator)
    if generator.random() < 0.3:
        other = kinds[generator.integers(len(kinds))](side, generator)
        edge = generator.normal() + fractal(side, generator) * generator.uniform(1, 8)
        picture = np.where(edge > np.median(edge), picture, other)
    if generator.random() < 0.3:
        picture = picture * (0.6 + 0.4 * fractal(side, generator))
    return np.clip(picture, 0, 1).astype(np.float32)


def fractal(side: int, generator: Generator) -> Field:
    """Return clouds of many sizes, as smooth or rough surfaces have."""
    rough = generator.uniform(0.3, 0.9)
    total = np.zeros((side, side), np.float32)
    for number, cells in enumerate(_OCTAVES):
        coarse = generator.normal(size=(cells, cells)).astype(np.float32) * rough**number
        total += cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    low, high = total.min(), total.max()
    return np.asarray((total - low) / (high - low), np.float32)


def leaves(side: int, generator: Generator) -> Field:
    """Return shapes that cover one another, as things in a photograph do (dead leaves)."""
    picture = np.full((side, side), generator.uniform(0, 1), np.float32)
    smallest = generator.uniform(1, 8)
    for _ in range(int(generator.integers(10, 140))):
        size = min(smallest / generator.uniform(0.02, 1), 0.6 * side)
        fill(picture, outline(generator) * size + generator.uniform(0, side, 2), generator)
    return picture


def outline(generator: Generator) -> np.ndarray:
    """Return the outline of a thing around (0, 0), `(N, 2)`: round, angular, or a beam."""
    kind = generator.integers(4)
    turn, aspect = generator.uniform(0, 2 * np.pi), np.exp(generator.normal(0, 0.6))
    if kind == 0:
        angle = np.linspace(0, 2 * np.pi, 24)
        points = np.stack([np.cos(angle), np.sin(angle) * aspect], axis=1)
    elif kind == 1:
        points = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (1, aspect)
    elif kind == 2:
        points = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (1, generator.uniform(0.03, 0.2))
    else:
        angle = np.sort(generator.uniform(0, 2 * np.pi, int(generator.integers(3, 12))))
        radius = generator.uniform(0.3, 1, len(angle))
        points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    if generator.random() < 0.5:
        turn = round(turn / (np.pi / 2)) * np.pi / 2
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.asarray(points @ matrix.T)


def fill(picture: Field, points: np.ndarray, generator: Generator) -> None:
    """Fill an outline with a level, or draw it."""
    places = np.round(points * 4).astype(np.int32)[:, None]
    level = float(generator.uniform(0, 1))
    if generator.random() < 0.8:
        cv2.fillPoly(picture, [places], level, cv2.LINE_AA, 2)
    if generator.random() < 0.35:
        width = int(generator.integers(1, 5))
        cv2.polylines(
            picture, [places], True, float(generator.uniform(0, 1)), width, cv2.LINE_AA, 2
        )


def pattern(side: int, generator: Generator) -> Field:
    """Return stripes, tiles, bricks or dots, seen from any side."""
    period = generator.uniform(4, 50, 2)
    duty = generator.uniform(0.1, 0.9)
    turn = generator.uniform(0, np.pi) if generator.random() < 0.5 else 0.0
    y, x = np.mgrid[:side, :side].astype(np.float32)
    if generator.random() < 0.4:  # towards a horizon
        depth = 1 + generator.uniform(0, 2) * y / side
        x, y = (x - side / 2) / depth, y / depth
    u = (x * np.cos(turn) + y * np.sin(turn)) / period[0]
    v = (y * np.cos(turn) - x * np.sin(turn)) / period[1]
    kind = generator.integers(4)
    if kind == 0:
        shape = u % 1 < duty
    elif kind == 1:
        shape = (u % 1 < duty) ^ (v % 1 < 0.5)
    elif kind == 2:
        shape = ((u + 0.5 * (np.floor(v) % 2)) % 1 < 0.9) & (v % 1 < 0.85)
    else:
        shape = (u % 1 - 0.5) ** 2 + (v % 1 - 0.5) ** 2 < 0.2 * duty
    low, high = generator.uniform(0, 1, 2)
    return np.asarray(np.where(shape, low, high) + generator.normal(0, 0.02), np.float32)


def icon(side: int, generator: Generator) -> Field:
    """Return a thing of a few shapes on plain ground: a logo, a figure, a machine."""
    ground = float(generator.choice([0, 1, generator.uniform(0, 1)]))
    picture = np.full((side, side), ground, np.float32)
    level = 1 - ground if generator.random() < 0.7 else float(generator.uniform(0, 1))
    centre = np.full(2, side / 2) + generator.normal(0, 0.08, 2) * side
    for _ in range(int(generator.integers(2, 9))):
        size = side * generator.uniform(0.04, 0.33)
        place = centre + generator.normal(0, 0.16, 2) * side
        points = np.round((outline(generator) * size + place) * 4).astype(np.int32)[:, None]
        if generator.random() < 0.6:
            value = ground if generator.random() < 0.3 else level
            cv2.fillPoly(picture, [points], value, cv2.LINE_AA, 2)
        else:
            width = int(generator.integers(2, 9))
            cv2.polylines(picture, [points], True, level, width, cv2.LINE_AA, 2)
        if generator.random() < 0.4:  # the same once more, mirrored
            points[..., 0] = 4 * side - points[..., 0]
            cv2.fillPoly(picture, [points], level, cv2.LINE_AA, 2)
    return picture
