"""Find the images that a network gets most wrong, and draw them on one sheet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from cnn_mnist.data.dataset import Split
from cnn_mnist.evaluation.softmax import log_softmax
from cnn_mnist.files import write_png

_COLUMNS: Final = 8
_SIDE: Final = 112  # pixels of an image: four for each of MNIST's
_TILE: Final = (_SIDE + 16, _SIDE + 52)
_FONT_SIZE: Final = 15
_NAME: Final = 16  # characters of a class name that are shown
_INK, _FAINT, _PAPER = "#111111", "#666666", "#ffffff"


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One misread image."""

    index: int
    """Its index in the split, from 0."""
    label: int
    """Its true label."""
    prediction: int
    """The predicted class."""
    probability: float
    """Of the prediction, in [0, 1]."""
    label_probability: float
    """Of the label, in [0, 1]."""


def worst_mistakes(
    logits: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8], *, most: int | None = None
) -> list[Mistake]:
    """Return the misread images, the one whose label was least probable first.

    Args:
        logits: `(N, classes)`.
        labels: `(N,)`.
        most: the largest number returned; None is all.
    """
    log_probabilities = log_softmax(logits)
    own = log_probabilities[np.arange(len(labels)), labels]
    predictions = logits.argmax(axis=1)
    wrong = np.flatnonzero(predictions != labels)
    return [
        Mistake(
            index=int(index),
            label=int(labels[index]),
            prediction=int(predictions[index]),
            probability=float(np.exp(log_probabilities[index, predictions[index]])),
            label_probability=float(np.exp(own[index])),
        )
        for index in wrong[np.argsort(own[wrong], kind="stable")][:most]
    ]


def draw_mistakes(
    mistakes: list[Mistake], split: Split, path: Path, class_names: Sequence[str]
) -> None:
    """Draw misread images as a PNG, each with its label, the predicted class and its probability.

    Args:
        mistakes: in `split`; where there are none, the sheet says so.
        split: holds the images.
        path: the file to create or replace.
        class_names: of each class; long ones are cut.

    Raises:
        ExportError: it cannot be written.
    """
    rows = -(-max(len(mistakes), 1) // _COLUMNS)
    columns = min(max(len(mistakes), 2), _COLUMNS)
    font = ImageFont.load_default(_FONT_SIZE)
    names = [name if len(name) <= _NAME else f"{name[: _NAME - 1]}…" for name in class_names]
    texts = [f"{names[mistake.label]} read as {names[mistake.prediction]}" for mistake in mistakes]
    width = max([_TILE[0], *(math.ceil(font.getlength(text)) + 16 for text in texts)])
    sheet = Image.new("RGB", (columns * width, rows * _TILE[1]), _PAPER)
    draw = ImageDraw.Draw(sheet)
    if not mistakes:
        draw.text((8, 8), "No image was misread.", _INK, font)
    for place, mistake in enumerate(mistakes):
        x, y = place % _COLUMNS * width + 8, place // _COLUMNS * _TILE[1] + 8
        sheet.paste(enlarged(split.images[mistake.index]), (x, y))
        draw.text((x, y + _SIDE + 2), texts[place], _INK, font)
        draw.text((x, y + _SIDE + 20), f"{mistake.probability:.1%}  #{mistake.index}", _FAINT, font)
    write_png(sheet, path)


def enlarged(image: npt.NDArray[np.uint8]) -> Image.Image:
    """Return an image `(28, 28)`, 0 is paper, as dark ink on light paper, each pixel 4x4."""
    return Image.fromarray(255 - image).resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
