"""Train the judge: a small network that tells a digit's form from any other form.

    pip install Hershey-Fonts
    python benchmarks/judge.py > benchmarks/results/judge.json

It learns from MNIST's training images, turned and sheared and brought to MNIST's form as `predict`
does it, against what is no digit: the FITTING family of nondigits.py, two digits side by side, and
halves of digits. Then the threshold is set so that of MNIST's validation images `REFUSED` are
refused. Neither the model that reads nor the test set has a part in it. It writes
`src/cnn_mnist/pretrained/judge.onnx` (the threshold in its metadata); the last line of standard
output is one JSON object.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from nondigits import FITTING, Drawing, Generator
from PIL import Image
from torch import nn

from cnn_mnist import load
from cnn_mnist.export import export_onnx
from cnn_mnist.image import to_glyph
from cnn_mnist.machine import machine, versions
from cnn_mnist.reading import JUDGE

Images = npt.NDArray[np.uint8]

SEED = 0
DIGITS, DRAWINGS, PAIRS, HALVES = 24_000, 6_000, 6_000, 4_000
EPOCHS, BATCH_SIZE = 6, 128
REFUSED = 0.003
"""Share of true digits that the threshold may cost; the promise is 1 %."""


def network() -> nn.Sequential:
    """22,000 parameters; logits of "no digit" and "digit"."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(24, 32, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3)),
        nn.Linear(32 * 5 * 5, 2),
    )


def form(ink: npt.NDArray[np.float32]) -> Images:
    """MNIST's form of some ink, as bytes."""
    rows, columns = (np.flatnonzero((ink > 0.3).any(axis=axis)) for axis in (1, 0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.rint(to_glyph(cut) * 255).astype(np.uint8)


def form_of_drawing(drawing: Drawing) -> Images:
    """MNIST's form of dark ink on white."""
    return form(1 - drawing.astype(np.float32) / 255)


def with_ink(draw: Callable[[Generator], Drawing], generator: Generator) -> Drawing:
    """A drawing that is not blank, as noise above a high level may be."""
    drawing = draw(generator)
    while (drawing < 100).mean() < 0.005:
        drawing = draw(generator)
    return drawing


def varied(image: Images, generator: Generator) -> npt.NDArray[np.float32]:
    """A digit four times as large, turned, sheared and stretched as hands do it."""
    turn, shear = generator.normal(0, 0.13), generator.normal(0, 0.15)
    x, y = np.exp(generator.normal(0, 0.1, 2)) / 4
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = matrix @ np.array([[x, shear * y], [0, y]])
    offset = np.array([14, 14]) - matrix @ (72, 72)
    data = (*matrix[0], offset[0], *matrix[1], offset[1])
    grey = Image.fromarray(image).transform(
        (144, 144), Image.Transform.AFFINE, data, Image.Resampling.BICUBIC
    )
    return np.asarray(grey, np.float32) / 255


def pair(images: Images, generator: Generator) -> Images:
    """Two digits so near to each other that they touch or nearly do."""
    left, right = (_cut(varied(image, generator)) for image in images)
    gap = int(generator.integers(-12, 8))
    height = max(len(left), len(right))
    both = np.zeros((height, left.shape[1] + right.shape[1] + max(gap, 0)), np.float32)
    both[: len(left), : left.shape[1]] = left
    lower = height - len(right)
    start = max(0, left.shape[1] + gap)
    window = both[lower : lower + len(right), start : start + right.shape[1]]
    np.maximum(window, right[:, : window.shape[1]], out=window)
    return form(both)


def half(image: Images, generator: Generator) -> Images:
    """What a cut from top to bottom leaves of a wide digit."""
    ink = _cut(varied(image, generator))
    place = int(ink.shape[1] * generator.uniform(0.4, 0.6))
    return form(ink[:, :place] if generator.random() < 0.5 else ink[:, place:])


def _cut(ink: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    rows, columns = (np.flatnonzero((ink > 0.3).any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def examples(images: Images, labels: Images, generator: Generator) -> tuple[Images, Images]:
    """Forms `(N, 28, 28)` and whether each is a digit."""
    chosen = generator.permutation(len(images))[:DIGITS]
    positive = [form(varied(images[index], generator)) for index in chosen]
    positive += list(images[chosen[: DIGITS // 2]])
    negative = [
        form_of_drawing(with_ink(draw, generator))
        for draw in FITTING.values()
        for _ in range(DRAWINGS)
    ]
    negative += [pair(images[generator.integers(len(images), size=2)], generator) for _ in range(PAIRS)]
    wide = np.flatnonzero(~np.isin(labels, (1, 4, 7)))
    negative += [half(images[index], generator) for index in generator.choice(wide, HALVES)]
    truth = np.repeat(np.array([1, 0], np.uint8), (len(positive), len(negative)))
    return np.stack([*positive, *negative]), truth


def train(images: Images, truth: Images) -> nn.Sequential:
    """Fit the network; the learning rate falls in a half cosine."""
    torch.manual_seed(SEED)
    judge = network()
    inputs, targets = torch.from_numpy(images), torch.from_numpy(truth).long()
    steps = EPOCHS * (len(images) // BATCH_SIZE)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        if step % (len(images) // BATCH_SIZE) == 0:
            order = torch.randperm(len(images))
        batch = order[step * BATCH_SIZE % (len(images) - BATCH_SIZE) :][:BATCH_SIZE]
        logits = judge(inputs[batch][:, None].float() / 255)
        loss = F.cross_entropy(logits, targets[batch], label_smoothing=0.01)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 200 == 0:
            print(f"step {step} of {steps}: loss {loss.item():.3f}", file=sys.stderr)
    return judge.eval()
