"""Turn the ink of a scene into a picture: paper, light, desk, blur, grain, compression."""

from typing import Final

import cv2
import numpy as np
from scene_canvas import Canvas, polylines
from scene_digits import Field, Generator, Images

_BLOCK: Final = 8


def photograph(canvas: Canvas, generator: Generator) -> Images:
    """Return a scene as a grey picture, `(side, side) uint8`."""
    side = canvas.side
    plain = generator.random() < 0.3  # a paint program or a clean scan
    ink = canvas.ink if plain else canvas.ink * _unsteady(side, generator)
    paper = np.full(
        (side, side), generator.uniform(0.75, 1) if plain else generator.uniform(0.4, 1)
    )
    if not plain:
        paper = paper * _light(side, generator)
    contrast = generator.uniform(0.5, 1) if plain else generator.uniform(0.18, 0.95)
    lines = canvas.lines * generator.uniform(0.5, 1.2)
    picture = paper * (1 - contrast * np.clip(np.maximum(ink, lines), 0, 1))
    if not plain and generator.random() < 0.15:
        picture -= 0.25 * contrast * paper * _show_through(canvas, generator)
    if generator.random() < 0.12:
        picture = _inverted_areas(picture, canvas, generator)
    if generator.random() < (0.1 if canvas.desk is None else 0.25):
        picture = _on_desk(picture, canvas, generator)
    if generator.random() < 0.35:
        picture = 1 - picture
    return camera(np.clip(picture, 0, 1).astype(np.float32), generator, plain=plain)


def clouds(side: int, generator: Generator, cells: int) -> Field:
    """Return smooth noise, `(side, side)`, about normal."""
    coarse = generator.normal(size=(cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))


def _unsteady(side: int, generator: Generator) -> Field:
    """Return how strongly a pen or pencil writes where, in [0.3, 1]."""
    cells = int(generator.choice([6, 24, 64]))
    depth = generator.uniform(0, 0.35)
    return np.clip(1 - depth * np.abs(clouds(side, generator, cells)), 0.3, 1)


def _light(side: int, generator: Generator) -> Field:
    """Return uneven light: a slope, darker corners, soft shadows, texture."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j].astype(np.float32)
    slope = generator.normal(0, 0.12, 2)
    light = 1 + slope[0] * x + slope[1] * y
    if generator.random() < 0.25:
        light -= generator.uniform(0.05, 0.35) * (x * x + y * y)
    if generator.random() < 0.3:
        light += generator.uniform(0.02, 0.1) * clouds(
            side, generator, int(generator.integers(2, 6))
        )
    if generator.random() < 0.1:  # the edge of a shadow
        edge = (
            generator.normal(0, 1) * x + generator.normal(0, 1) * y + generator.uniform(-0.5, 0.5)
        )
        light *= 1 - generator.uniform(0.15, 0.5) / (
            1 + np.exp(np.clip(-edge * generator.uniform(3, 40), -30, 30))
        )
    if generator.random() < 0.2:
        light += generator.uniform(0.01, 0.06) * clouds(side, generator, side // 2)
    return np.clip(light, 0.15, 1.3).astype(np.float32)


def _show_through(canvas: Canvas, generator: Generator) -> Field:
    """Return the ink of the page's other side, mirrored and soft."""
    back = np.roll(canvas.ink[:, ::-1], generator.integers(0, canvas.side, 2), axis=(0, 1))
    return np.asarray(cv2.GaussianBlur(back, (0, 0), 1.2))


def _mask(corners: np.ndarray, side: int) -> np.ndarray:
    mask = np.zeros((side, side), np.uint8)
    cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), 1)
    return mask.astype(bool)


def _inverted_areas(picture: np.ndarray, canvas: Canvas, generator: Generator) -> np.ndarray:
    """Invert a rectangle around one mark, or the whole inside of a margin."""
    side = canvas.side
    if canvas.marks and generator.random() < 0.7:
        left, top, right, bottom = canvas.marks[generator.integers(len(canvas.marks))].box
        pad = generator.uniform(0.15, 0.8) * (bottom - top)
        box = left - pad, top - pad, right + pad, bottom + pad
    else:
        inset = generator.uniform(0.03, 0.2, 4) * side
        box = inset[0], inset[1], side - inset[2], side - inset[3]
    left, top, right, bottom = box
    mask = _mask(np.array([(left, top), (right, top), (right, bottom), (left, bottom)]), side)
    return np.where(mask, 1 - picture, picture)


def _on_desk(picture: np.ndarray, canvas: Canvas, generator: Generator) -> np.ndarray:
    """Lay the page on a desk of another brightness, so that its edges are seen."""
    side = canvas.side
    boxes = np.array([mark.box for mark in canvas.marks]).reshape(-1, 4)
    pad = generator.uniform(2, 12)
    low = boxes[:, :2].min(axis=0) - pad if len(boxes) else np.full(2, 0.2 * side)
    high = boxes[:, 2:].max(axis=0) + pad if len(boxes) else np.full(2, 0.8 * side)
    corners = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    corners = corners + generator.normal(0, 2, (4, 2))
    open_sides = generator.random(4) < 0.4  # there the page goes on beyond the picture
    corners[[0, 3], 0] = np.where(open_sides[0], -9, corners[[0, 3], 0])
    corners[[0, 1], 1] = np.where(open_sides[1], -9, corners[[0, 1], 1])
    corners[[1, 2], 0] = np.where(open_sides[2], side + 9, corners[[1, 2], 0])
    corners[[2, 3], 1] = np.where(open_sides[3], side + 9, corners[[2, 3], 1])
    if canvas.desk is not None:
        return np.where(_mask(corners, side), picture, canvas.desk)
    desk = generator.uniform(0, 1) + 0.08 * clouds(side, generator, int(generator.integers(2, 60)))
    return np.where(_mask(corners, side), picture, desk)


def camera(picture: Field, generator: Generator, *, plain: bool) -> Images:
    """Blur, reduce, add grain, compress."""
    side = len(picture)
    if not plain and generator.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), generator.uniform(0.3, 1.6))
    if generator.random() < 0.25:  # a picture of few pixels
        few = int(side / generator.uniform(1.2, 4.6))
        small = cv2.resize(picture, (few, few), interpolation=cv2.INTER_AREA)
        if generator.random() < 0.2:
            small = (small > (small.min() + small.max()) / 2).astype(np.float32)
        how = int(generator.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST]))
        picture = cv2.resize(small, (side, side), interpolation=how)
    if not plain or generator.random() < 0.3:
        grain = generator.exponential(0.02)
        picture = picture + generator.normal(0, grain, picture.shape).astype(np.float32)
    if not plain and generator.random() < 0.1:
        picture = _specks(picture, generator)
    if generator.random() < 0.06:  # thresholded
        low, high = np.quantile(picture, [0.01, 0.99])
        picture = (picture > low + (high - low) * generator.uniform(0.35, 0.65)).astype(np.float32)
    grey = np.clip(picture * 255, 0, 255).astype(np.uint8)
    if generator.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(generator.integers(15, 90))]
        grey = cv2.imdecode(cv2.imencode(".jpg", grey, quality)[1], cv2.IMREAD_GRAYSCALE)
    return np.asarray(grey, np.uint8)


def _specks(picture: Field, generator: Generator) -> Field:
    """Scatter specks of dirt, and now and then a hair."""
    side = len(picture)
    dark = float(picture.min())
    places = generator.integers(0, side, (int(generator.integers(2, 60)), 2))
    picture = picture.copy()
    for row, column in places:
        size = int(generator.integers(1, 3))
        picture[row : row + size, column : column + size] = dark
    if generator.random() < 0.3:
        hair = np.cumsum(generator.normal(0, 5, (8, 2)), axis=0) + generator.uniform(0, side, 2)
        picture = picture * (1 - polylines([hair], 1, picture.shape)) + dark * polylines(
            [hair], 1, picture.shape
        )
    return picture
