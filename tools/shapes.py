"""Draw shapes, objects and scribbles from a seed."""

import math

import numpy as np
from pen import Drawing, Generator, Points, corners, pen, polylines, ring, smooth_curve


def composition(generator: Generator) -> Drawing:
    """Draw several lines, arcs, rings and corners; half of the time inside a larger shape."""
    lines = [primitive(generator) for _ in range(generator.integers(2, 7))]
    placed = [line * generator.uniform(0.15, 0.9) for line in lines]
    placed = [line + generator.uniform(0, 1, 2) * (1 - np.ptp(line, axis=0)) for line in placed]
    if generator.random() < 0.5:
        placed = [0.2 + 0.6 * line for line in placed]
        placed.append(
            ring(generator) if generator.random() < 0.6 else corners(generator, closed=True)
        )
    return pen(placed, generator, wobble=0.04)


def primitive(generator: Generator) -> Points:
    """Return a line, an arc, a ring, a few corners or a curve, in [0, 1]^2."""
    kind = generator.integers(5)
    if kind == 0:
        return generator.uniform(0, 1, (2, 2))
    if kind == 1:
        return ring(generator)[: int(generator.integers(10, 30))]
    if kind == 2:
        return ring(generator)
    if kind == 3:
        return corners(generator, closed=generator.random() < 0.4)
    return smooth_curve(generator, 2)


def open_arc(generator: Generator) -> Drawing:
    """Draw a third to three quarters of a ring, open at the top or at the bottom."""
    angle = generator.choice([0.5, 1.5]) * math.pi + generator.normal(0, 0.5)
    half = generator.uniform(0.33, 0.75) * math.pi
    turns = np.linspace(angle - half, angle + half, 30)
    return pen([0.5 + 0.5 * np.stack([np.cos(turns), np.sin(turns)], axis=1)], generator)


def scribble(generator: Generator) -> Drawing:
    """Draw one to three curves over each other."""
    count = int(generator.integers(1, 4))
    curves = [smooth_curve(generator, int(generator.integers(4, 9))) for _ in range(count)]
    return pen(curves, generator)


POLYGONS = {
    "triangle": "50,0 100,100 0,100 50,0",
    "square": "0,0 100,0 100,100 0,100 0,0",
    "diamond": "50,0 100,50 50,100 0,50 50,0",
    "cross": "0,0 100,100 / 100,0 0,100",
    "plus": "50,0 50,100 / 0,50 100,50",
    "star": "50,0 80,100 0,40 100,40 20,100 50,0",
    "tick": "0,60 35,100 100,0",
    "dash": "0,50 100,50",
    "equals": "0,30 100,30 / 0,70 100,70",
    "hash": "30,0 20,100 / 80,0 70,100 / 0,30 100,30 / 0,70 100,70",
    "comb": "0,100 0,0 100,0 100,100 / 50,0 50,100",
    "zigzag": "0,80 25,20 50,80 75,20 100,80",
}
"""Shapes by name, as `polylines` reads them."""


def polygon(generator: Generator) -> Drawing:
    """Draw a simple shape of straight lines."""
    return pen(polylines(POLYGONS[str(generator.choice(list(POLYGONS)))]), generator)


def face(generator: Generator) -> Drawing:
    """Draw a head with two eyes, a nose and a mouth."""
    round_ = np.linspace(0, 2 * math.pi, 40)
    head = np.stack([0.5 + 0.5 * np.cos(round_), 0.5 + 0.5 * np.sin(round_)], axis=1)
    eyes = [head * 0.1 + (x, 0.3) for x in (0.22, 0.62)]
    bend = generator.uniform(-0.2, 0.2)
    smile = np.stack([0.5 + 0.25 * np.cos(round_), 0.6 + bend * np.sin(round_)], axis=1)[:20]
    nose = np.array([(0.5, 0.45), (0.45, 0.58), (0.52, 0.58)])
    return pen([head, *eyes, smile, nose], generator, wobble=0.03)


def spiral(generator: Generator) -> Drawing:
    """Draw a spiral of two to four turns."""
    angle = np.linspace(0, 2 * math.pi * generator.uniform(2, 4), 160) * generator.choice([-1, 1])
    radius = np.linspace(0.02, 0.5, 160)
    line = np.stack([0.5 + radius * np.cos(angle), 0.5 + radius * np.sin(angle)], axis=1)
    return pen([line], generator)


OBJECTS = {
    "house": "0,45 50,0 100,45 90,45 90,100 10,100 10,45 0,45",
    "arrow": "0,50 100,50 / 65,20 100,50 65,80",
    "heart": "50,100 0,35 12,5 40,5 50,30 60,5 88,5 100,35 50,100",
    "man": ("50,0 60,10 50,20 40,10 50,0 / 50,20 50,65 25,100 / 50,65 75,100 / 20,35 80,35"),
    "tree": "50,100 50,50 / 50,0 90,60 10,60 50,0 / 50,25 100,80 0,80 50,25",
    "window": "0,0 100,0 100,100 0,100 0,0 / 50,0 50,100 / 0,50 100,50",
    "asterisk": "50,0 50,100 / 7,25 93,75 / 93,25 7,75",
    "cup": "0,0 15,100 65,100 80,0 0,0 / 75,25 100,40 70,70",
}


def thing(generator: Generator) -> Drawing:
    """Draw a simple object."""
    return pen(polylines(OBJECTS[str(generator.choice(list(OBJECTS)))]), generator)


def angry_scribble(generator: Generator) -> Drawing:
    """Draw many straight strokes to and fro."""
    steps = int(generator.integers(12, 40))
    return pen([generator.uniform(0, 1, (steps, 2))], generator)
