"""Draw pictures of handwritten digits, signs, letters and other things, and say what stands where.

Every scene is drawn from a generator: one digit, rows, columns, scattered digits, boxes of forms
and tables, ruled paper, frames, text, drawings; in many pens, lights and cameras. The digits are
MNIST's images, by one writer where possible. No photograph is used.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from scene_canvas import Canvas, Mark, turned
from scene_digits import DigitStock, Generator, Images
from scene_hand import Hand
from scene_layouts import LAYOUTS, SIDE, ruling, single
from scene_nature import nature
from scene_paper import camera, photograph

from cnn_mnist.reading.grey import border_level


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and its marks."""

    picture: Images
    """`(SIDE, SIDE)`."""
    marks: list[Mark]
    ignored: list[tuple[float, float, float, float]]


def draw_scene(stock: DigitStock, generator: Generator, *, varied: bool = True) -> Scene:
    """Draw a scene.

    Args:
        stock: whose digits are written.
        generator: decides everything.
        varied: whether there are also scenes of things, pages on things, and digits in more forms.
    """
    if varied and generator.random() < 0.17:
        return Scene(
            camera(nature(SIDE, generator), generator, plain=generator.random() < 0.5), [], []
        )
    turn = generator.normal(0, 6) if generator.random() < 0.6 else 0.0
    linear = turned(turn, generator.normal(0, 0.05))
    canvas = Canvas(
        SIDE, np.column_stack([linear, (SIDE / 2, SIDE / 2) - linear @ (SIDE / 2, SIDE / 2)])
    )
    if varied and generator.random() < 0.5:
        canvas.desk = nature(SIDE, generator)
    hand = Hand(canvas, stock, stock.style(generator), generator, varied)
    if generator.random() < 0.15:
        ruling(canvas, generator)
    layouts, weights = list(LAYOUTS), np.array(list(LAYOUTS.values()))
    layout = layouts[generator.choice(len(layouts), p=weights / weights.sum())]
    layout(hand)
    picture = photograph(canvas, generator)
    seen = [mark for mark in canvas.marks if is_seen(picture, mark)]
    hidden = [mark.box for mark in canvas.marks if mark not in seen]
    scene = Scene(picture, seen, canvas.ignored + hidden)
    if layout is single and len(seen) == 1 and generator.random() < 0.4:
        return cropped(scene, generator)
    return scene


def cropped(scene: Scene, generator: Generator) -> Scene:
    """Cut the picture of one digit close to it, and surround it as `with_margin` does.

    Sometimes it is stretched to a square, or has few pixels, before.
    """
    mark = scene.marks[0]
    left, top, right, bottom = mark.box
    pad = generator.uniform(-0.01, 0.12, 4) * max(right - left, bottom - top)
    low = np.floor(np.maximum((left - pad[0], top - pad[1]), 0)).astype(int)
    high = np.ceil(np.minimum((right + pad[2], bottom + pad[3]), SIDE)).astype(int)
    if (high - low < 6).any():
        return scene
    margin = generator.uniform(0.05, 0.2)
    room = SIDE / (1 + 2 * margin) / max(high - low)
    scale = np.array([room, room])
    if generator.random() < 0.3:  # stretched to a square
        scale *= max(high - low) / (high - low)
    picture = scene.picture[low[1] : high[1], low[0] : high[0]]
    if generator.random() < 0.5:
        few = int(generator.integers(14, 40))
        how = cv2.INTER_AREA if few < max(picture.shape) else cv2.INTER_LINEAR
        picture = cv2.resize(picture, (few, few), interpolation=how)
        if generator.random() < 0.4:
            picture = np.where(picture > picture.mean(), np.uint8(255), np.uint8(0))
    size = np.round((high - low) * scale).astype(int)
    how = int(generator.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST]))
    inner = cv2.resize(picture, tuple(size.tolist()), interpolation=how)
    first = (SIDE - size) // 2
    full = np.full((SIDE, SIDE), border_level(picture), np.uint8)
    full[first[1] :, first[0] :][: size[1], : size[0]] = inner
    box = (np.array(mark.box).reshape(2, 2) - low) * scale + first
    ink = cv2.resize(mark.ink, tuple(np.maximum(np.round(box[1] - box[0]), 1).astype(int).tolist()))
    corner = np.round(box[0]).astype(int)
    moved = Mark(mark.class_, tuple(box.ravel().tolist()), ink, (int(corner[0]), int(corner[1])))
    return Scene(full, [moved], [])


def is_seen(picture: Images, mark: Mark) -> bool:
    """Return whether a mark's ink differs from the paper around it in the picture."""
    left, top = mark.origin
    window = picture[max(0, top) :, max(0, left) :]
    ink = mark.ink[max(0, -top) :, max(0, -left) :][: window.shape[0], : window.shape[1]]
    window = window[: ink.shape[0], : ink.shape[1]].astype(np.float32)
    inside, outside = window[ink > 0.5], window[ink < 0.1]
    if len(inside) == 0 or len(outside) == 0:
        return True
    apart = abs(float(inside.mean()) - float(np.median(outside)))
    return apart > 6 and apart > 0.9 * float(outside.std() + inside.std()) * (len(inside) < 400)
