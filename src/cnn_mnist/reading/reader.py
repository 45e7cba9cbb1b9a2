"""Read the digits of an image.

`finder` says what stands where: digits, signs, letters. The network that the caller names says
which digit each digit is, and how probable that is. A line of text is left alone.
"""

from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TypedDict

import numpy as np
from PIL import Image

from cnn_mnist.data.class_names import are_digits
from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.data.mnist_form import fit
from cnn_mnist.inference.model import BUNDLED, Model
from cnn_mnist.reading.decode import MAX_PIXELS, Picture, decode
from cnn_mnist.reading.finder import Candidate, Finder, Findings
from cnn_mnist.reading.input_types import Source
from cnn_mnist.reading.result import Digit, Field, Reading
from cnn_mnist.reading.signs import reasons


class How(TypedDict, total=False):
    """Options of `read`."""

    digits_only: bool
    fields: bool
    whole: bool


def read(
    picture: Source | Picture,
    model: Model | Path | str | None = None,
    *,
    finder: Finder | None = None,
    digits_only: bool = False,
    fields: bool = False,
    whole: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> Reading:
    """Read the digits of an image.

    Args:
        picture: an image in any form, see `decode`: a path, bytes, an open file, a Pillow image or
            an array. Of several pages or frames the first that is not blank is read; `pages`
            decodes each, and takes its place here.
        model: a network, or its model file, which is opened at each call; None takes the bundled
            model. Class and probabilities are its own.
        finder: finds the digits; None opens one.
        digits_only: leave out signs, such as the point in 3.14.
        fields: read the fields of a form or a table row by row, and nothing else, where there are
            some.
        whole: do not look for digits: the whole picture is one, or shows one thing of another
            network's classes; the two options before have no effect then.
        max_pixels: see `decode`.

    Raises:
        ImageError: the image cannot be decoded, or is of another type.
        ModelError: the model file cannot be used.
    """
    if model is None:
        model = _open_bundled()
    elif isinstance(model, str | Path):
        model = Model(model, threads=1)
    if not isinstance(picture, Picture):
        picture = decode(picture, max_pixels=max_pixels)
    if whole:
        return _read_whole(picture, model)
    found = (finder or _open_finder()).find(picture, fields=fields)
    lines = _classify(found.lines, model, digits_only=digits_only)
    form = _to_form(found, lines) if fields else None
    if form:
        rows = groupby(form, key=lambda field: field.row)
        lines = [tuple(d for field in row for d in field.digits) for _, row in rows]
    return Reading(
        lines=tuple(filter(None, lines)),
        fields=form,
        page=picture.page,
        turned=90 * found.quarter_turns,
    )


def _read_whole(picture: Picture, model: Model) -> Reading:
    """Classify a picture as a whole, whatever it shows: resized to 28x28, its aspect kept."""
    grey = np.asarray(Image.fromarray(picture.pixels).convert("L"))
    image = (fit(grey) / np.float32(255)).astype(np.float32)
    probabilities, box = model.predict(image[None])[1][0], (0, 0, *picture.size)
    digit = Digit.of(probabilities, box, image, class_names=model.class_names)
    return Reading(lines=((digit,),), page=picture.page)


def _to_form(found: Findings, lines: list[tuple[Digit, ...]]) -> tuple[Field, ...]:
    """Put what was read, a line for each field, into the fields of a form."""
    return tuple(
        Field(row=place.row, column=place.column, box=place.box, digits=line)
        for place, line in zip(found.fields, lines, strict=False)
    )


@cache
def _open_bundled() -> Model:
    return Model(BUNDLED, threads=1)


@cache
def _open_finder() -> Finder:
    return Finder()


def _classify(
    lines: list[list[Candidate]], model: Model, *, digits_only: bool
) -> list[tuple[Digit, ...]]:
    """Classify what was found; refuse what is not a digit, unless the classes are not digits."""
    refuses = are_digits(model.class_names)
    images = [candidate.image for line in lines for candidate in line]
    probabilities = iter(model.predict(np.array(images).reshape(-1, IMAGE_SIZE, IMAGE_SIZE))[1])

    def digit(candidate: Candidate, reason: str | None) -> Digit:
        return Digit.of(
            next(probabilities),
            candidate.box,
            candidate.image,
            reason if refuses else None,
            class_names=model.class_names,
            sign=candidate.sign if refuses else None,
        )

    read_lines = [tuple(map(digit, line, reasons(line))) for line in lines]
    if digits_only:
        return [tuple(digit for digit in line if digit.sign is None) for line in read_lines]
    return read_lines
