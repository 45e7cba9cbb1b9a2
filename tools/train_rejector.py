"""Train the rejector: a small network that tells the ten digits from everything else.

    pip install Hershey-Fonts matplotlib
    python tools/train_rejector.py > benchmarks/results/rejector.json

It is trained on MNIST's training images, as they are, and turned and sheared and brought to MNIST's
form as `predict` does it; on the digits of single-stroke fonts, the 1 with a flag, the 7 with a bar
and the 0 with a slash, which MNIST's American writers hardly made; and, as an eleventh class, on
non-digits: the FITTING family of nondigits.py, two digits side by side, halves of digits. The
threshold is set so that the share `REFUSED` of MNIST's validation images is refused. Neither the
network that reads nor the test set is used. Writes `src/cnn_mnist/reading/rejector.onnx`, with the
threshold in its metadata. The last line of standard output is one JSON object.
"""

import json
import math
import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from letters import HAND, in_strokes
from nondigits import FITTING
from pen import Drawing, Generator, pen, ring
from PIL import Image
from torch import nn

from cnn_mnist import load
from cnn_mnist.export.onnx import export_onnx
from cnn_mnist.machine import machine, versions
from cnn_mnist.reading.glyph import to_glyph
from cnn_mnist.reading.rejector import REJECTOR

Images = npt.NDArray[np.uint8]
Ink = npt.NDArray[np.float32]

SEED = 0
PLAIN, DISTORTED, WRITTEN, ONES, SEVENS, ZEROS = 36_000, 19_000, 6_000, 2_000, 1_500, 500
PAIRS, HALVES = 3_000, 2_000
DRAWINGS = {
    "hand letter": 5_000,
    "foreign letter": 3_000,
    "outline letter": 10_000,
    "composition": 14_000,
    "open arc": 1_000,
    "scribble": 2_000,
    "polygon": 2_000,
    "blot": 2_000,
}
EPOCHS, BATCH_SIZE = 10, 128
NONE = 10
"""The class of everything that is not a digit."""
REFUSED = 0.007
"""Share of true digits that the threshold may refuse; the limit promised to users is 1 %."""


def network() -> nn.Sequential:
    """Build the network: 56,000 parameters."""
    return nn.Sequential(
        *(nn.Conv2d(1, 24, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(24, 48, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(48, 64, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3)),
        nn.Linear(64 * 5 * 5, NONE + 1),
    )


def form(ink: Ink) -> Images:
    """Return ink in MNIST's form, `(28, 28)`."""
    return np.rint(to_glyph(cut(ink)) * 255).astype(np.uint8)


def cut(ink: Ink) -> Ink:
    """Cut ink to its bounding box."""
    rows, columns = (np.flatnonzero((ink > 0.3).any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def drawn(draw: Callable[[Generator], Drawing], generator: Generator) -> Images:
    """Draw until the drawing is not blank, as blots may be; return it in MNIST's form."""
    drawing = draw(generator)
    while (drawing < 100).mean() < 0.005:
        drawing = draw(generator)
    return form(1 - drawing.astype(np.float32) / 255)


def distorted(image: Images, generator: Generator) -> Ink:
    """Return the ink of a digit, four times as large, turned, sheared and stretched as by hand."""
    turn, shear = generator.normal(0, 0.16), generator.normal(0, 0.15)
    x, y = np.exp(generator.normal(0, 0.1, 2)) / 4
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = matrix @ np.array([[x, shear * y], [0, y]])
    offset = np.array([14, 14]) - matrix @ (72, 72)
    data = (*matrix[0], offset[0], *matrix[1], offset[1])
    grey = Image.fromarray(image).transform(
        (144, 144), Image.Transform.AFFINE, data, Image.Resampling.BICUBIC
    )
    return np.asarray(grey, np.float32) / 255


def flagged_one(generator: Generator) -> Drawing:
    """Draw a 1 whose flag falls steeply from the top, sometimes with a foot."""
    top = np.array([generator.uniform(0.45, 0.6), 0])
    flag = generator.uniform(0.12, 0.5)
    drop = flag * math.tan(math.radians(generator.uniform(28, 65)))
    bottom = np.array([top[0] + generator.normal(-0.03, 0.06), 1])
    lines = [np.array([top - (flag, -drop), top, bottom])]
    if generator.random() < 0.4:
        foot = generator.uniform(0.12, 0.35)
        lines.append(bottom + np.array([[-foot, 0], [foot, 0]]))
    return pen(lines, generator, wobble=0.03)


def barred_seven(generator: Generator) -> Drawing:
    """Draw a 7 with a level top, half of the time with a bar through the stem."""
    width = generator.uniform(0.4, 0.75)
    right = np.array([0.5 + width / 2, 0])
    left = right - (width, -width * generator.uniform(-0.15, 0.2))
    bottom = np.array([generator.uniform(0.25, 0.55), 1])
    lines = [np.array([left, right, bottom])]
    if generator.random() < 0.5:
        middle, reach = (right + bottom) / 2, np.array([generator.uniform(0.12, 0.25), 0])
        lines.append(np.array([middle - reach, middle + reach]))
    return pen(lines, generator, wobble=0.03)


def slashed_zero(generator: Generator) -> Drawing:
    """Draw a 0 with a slash, as programmers write it."""
    rise = generator.uniform(0.5, 1)
    slash = np.array([(0.5 - rise / 2, 0.5 + rise / 2), (0.5 + rise / 2, 0.5 - rise / 2)])
    return pen([ring(generator), slash], generator, wobble=0.03)


def pair(images: Images, generator: Generator) -> Images:
    """Return two digits that touch or nearly touch."""
    left, right = (cut(distorted(image, generator)) for image in images)
    gap = int(generator.integers(-12, 8))
    height = max(len(left), len(right))
    both = np.zeros((height, left.shape[1] + right.shape[1] + max(gap, 0)), np.float32)
    both[: len(left), : left.shape[1]] = left
    lower, start = height - len(right), max(0, left.shape[1] + gap)
    window = both[lower : lower + len(right), start : start + right.shape[1]]
    np.maximum(window, right[:, : window.shape[1]], out=window)
    return form(both)


def half(image: Images, generator: Generator) -> Images:
    """Return one half of a wide digit that is cut from top to bottom."""
    ink = cut(distorted(image, generator))
    place = int(ink.shape[1] * generator.uniform(0.4, 0.6))
    return form(ink[:, :place] if generator.random() < 0.5 else ink[:, place:])


def examples(images: Images, labels: Images, generator: Generator) -> tuple[Images, Images]:
    """Return the training images `(N, 28, 28)` in MNIST's form, and their classes `(N,)`."""
    plain, other = np.split(generator.permutation(len(images))[: PLAIN + DISTORTED], [PLAIN])
    wide = np.flatnonzero(~np.isin(labels, (1, 4, 7)))
    written = generator.integers(10, size=WRITTEN)
    couples = generator.integers(len(images), size=(PAIRS, 2))
    groups = [
        (labels[plain], images[plain]),
        (labels[other], [form(distorted(images[index], generator)) for index in other]),
        (written, [drawn(partial(in_strokes, HAND, [str(c)]), generator) for c in written]),
        (np.full(ZEROS, 0), [drawn(slashed_zero, generator) for _ in range(ZEROS)]),
        (np.full(ONES, 1), [drawn(flagged_one, generator) for _ in range(ONES)]),
        (np.full(SEVENS, 7), [drawn(barred_seven, generator) for _ in range(SEVENS)]),
        (np.full(PAIRS, NONE), [pair(images[couple], generator) for couple in couples]),
        (
            np.full(HALVES, NONE),
            [half(images[index], generator) for index in generator.choice(wide, HALVES)],
        ),
        *(
            (np.full(count, NONE), [drawn(FITTING[kind], generator) for _ in range(count)])
            for kind, count in DRAWINGS.items()
        ),
    ]
    classes, forms = zip(*groups, strict=True)
    return np.concatenate([np.stack(group) for group in forms]), np.concatenate(classes)


def train(images: Images, classes: Images) -> nn.Sequential:
    """Train the network; the learning rate falls in a half cosine."""
    torch.manual_seed(SEED)
    rejector = network()
    inputs, targets = torch.from_numpy(images), torch.from_numpy(classes).long()
    steps = len(images) // BATCH_SIZE
    optimizer = torch.optim.AdamW(rejector.parameters(), lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * steps)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(images))
        for batch in order[: steps * BATCH_SIZE].split(BATCH_SIZE):
            shift = torch.randint(-1, 2, (2,)).tolist()  # as rounding of the centre of mass does
            pixels = inputs[batch].roll(shift, dims=(1, 2))[:, None].float() / 255
            loss = F.cross_entropy(rejector(pixels), targets[batch], label_smoothing=0.01)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {loss.item():.3f}", file=sys.stderr)
    return rejector.eval()


def digit_probability(rejector: nn.Sequential, images: Images) -> npt.NDArray[np.float32]:
    """Return the probability that an image is a digit, `(N,)`, of images `(N, 28, 28)`."""
    with torch.inference_mode():
        probabilities = rejector(torch.from_numpy(images)[:, None].float() / 255).softmax(dim=1)
    return 1 - probabilities[:, NONE].numpy()


def main() -> None:
    """Train, fit the threshold, write the model file, print."""
    dataset, generator = load("mnist"), np.random.default_rng(SEED)
    images, classes = examples(dataset.train.images, dataset.train.labels, generator)
    rejector = train(images, classes)
    validation = dataset.validation.images
    forms = np.stack([form(image.astype(np.float32) / 255) for image in validation])
    threshold = float(np.quantile(digit_probability(rejector, forms), REFUSED))
    metadata = {"threshold": threshold, "seed": SEED}
    export_onnx(rejector, REJECTOR, validation, metadata)
    result = {
        "examples": {str(class_): int((classes == class_).sum()) for class_ in range(NONE + 1)},
        "threshold": threshold,
        "file_bytes": REJECTOR.stat().st_size,
    }
    print(json.dumps(result | {"versions": versions(), "machine": machine()}))


if __name__ == "__main__":
    main()
