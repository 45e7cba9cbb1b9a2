"""Draw digits as the network sees them in pictures, and write them beside MNIST's own.

    python tools/draw_digits.py QMNIST OUT

Writes a data set of four IDX files, with which the bundled model is trained further (see its card):
MNIST's training images, and digits of scenes (scenes.py) that are masked and brought to MNIST's
form as `cnn_mnist.read` does it. They are MNIST's training images, too, but drawn by many pens, and
digits in the forms of other countries. The test images are MNIST's.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from scene_canvas import polylines, turned
from scene_digits import DigitStock, Images
from scene_marks import foreign_digit
from scenes import draw_scene
from train_finder import stocks

from cnn_mnist import load
from cnn_mnist.data import idx
from cnn_mnist.machine import cores
from cnn_mnist.reading.detector import LETTER
from cnn_mnist.reading.ink import InkMask, image_of_ink

SEED = 2
SCENES = 12_000
FOREIGN = 6_000
"""Digits that are not taken from scenes."""
LEAST_SIDE = 16
"""Pixels of a digit in its scene: smaller ones are often not legible."""
_CHUNK = 250
_CANVAS = 128  # pixels
_JITTER = 0.03  # of the longer side: how exactly a digit's box is known

_stock: DigitStock
_ink: InkMask


def _open(writers: Path) -> None:
    """Prepare a process."""
    global _stock, _ink
    cv2.setNumThreads(1)
    _stock, _ink = stocks(writers)[0], InkMask()


def draw(start: int) -> tuple[Images, Images]:
    """Draw the digits of `_CHUNK` scenes: images `(N, 28, 28)` and labels `(N,)`."""
    images, labels = [np.empty((0, 28, 28), np.uint8)], [np.empty(0, np.uint8)]
    for number in range(start, start + _CHUNK):
        generator = np.random.default_rng([SEED, number])
        scene = draw_scene(_stock, generator)
        marks = [mark for mark in scene.marks if mark.class_ < LETTER]
        boxes = np.array([mark.box for mark in marks]).reshape(-1, 4)
        sides = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
        large = np.flatnonzero(sides >= LEAST_SIDE)
        boxes = boxes + generator.normal(0, _JITTER, boxes.shape) * sides[:, None]
        inks = _ink.of(scene.picture, [tuple(boxes[index].tolist()) for index in large])
        forms = np.array([image_of_ink(ink) for ink in inks]).reshape(-1, 28, 28)
        written = forms.any(axis=(1, 2))
        images.append(np.rint(forms[written] * 255).astype(np.uint8))
        classes = np.array([marks[index].class_ for index in large], np.uint8)
        labels.append(classes[written])
    return np.concatenate(images), np.concatenate(labels)


def draw_foreign(number: int) -> tuple[Images, Images]:
    """Draw one digit as a pen draws it in other countries: image `(1, 28, 28)`, label `(1,)`."""
    generator = np.random.default_rng([SEED + 1, number])
    class_, lines = foreign_digit(generator, varied=True)
    height = 64 * np.array([generator.uniform(0.5, 1), 1])
    shape = turned(generator.normal(0, 8), generator.normal(0, 0.15))
    lines = [((line - 0.5) * height) @ shape.T + _CANVAS / 2 for line in lines]
    ink = polylines(lines, generator.uniform(2, 14), (_CANVAS, _CANVAS))
    image = np.rint(image_of_ink(ink) * 255).astype(np.uint8)
    return image[None], np.array([class_], np.uint8)


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("writers", type=Path, help="qmnist-train-labels-idx2-int.gz")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(cores(), get_context("spawn"), _open, (arguments.writers,)) as pool:
        parts = list(pool.map(draw, range(0, SCENES, _CHUNK)))
    parts += map(draw_foreign, range(FOREIGN))
    mnist = load("mnist")
    images, labels = (np.concatenate(values) for values in zip(*parts, strict=True))
    images = np.concatenate([mnist.train.images, images])
    labels = np.concatenate([mnist.train.labels, labels])
    for name, split in (
        ("train", (images, labels)),
        ("t10k", (mnist.test.images, mnist.test.labels)),
    ):
        idx.write(arguments.out / f"{name}-images-idx3-ubyte", split[0])
        idx.write(arguments.out / f"{name}-labels-idx1-ubyte", split[1])
    print(f"{len(images):,} training images, {len(mnist.train):,} of them MNIST's own")


if __name__ == "__main__":
    main()
