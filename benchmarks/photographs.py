"""Score how well pictures found in public are read: photographs, scans and drawings.

They lie in the folders `photos` and `photos2` of `$CNN_MNIST_DATA`, with lists (see their
READMEs): `single` of one digit, `multi` of several, `none` without a handwritten digit, `mixed`
without a single right answer, such as sums.
"""

import csv
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from answers import Answer, Readers, png
from scores import Labelled, score, score_strings, summary
from simple_ways import box_way, naive_way

from cnn_mnist import Model
from cnn_mnist.reading.decode import decode

SETS = ("photos", "photos2")


def pictures_of(data: Path, name: str) -> list[Labelled]:
    """Return the pictures of a list such as `photos2/multi` in the folder `$CNN_MNIST_DATA`."""
    path = data / f"{name}.tsv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [
        Labelled(
            file=path.parent / row["local_file"],
            label=row["label"],
            rows=tuple(row.get("label_lines", row["label"]).split("/")),
            condition=row["condition"].split(",")[0],
            source=row["owner/repo"],
            longest_side=max(int(row["width"]), int(row["height"])),
        )
        for row in rows
    ]


def photographs(data: Path, readers: Readers, model: Model) -> dict[str, Any]:
    """Score the pictures of one digit and of several, and list what is read in mixed ones."""
    mixed = pictures_of(data, "photos2/mixed")
    single = [picture for name in SETS for picture in pictures_of(data, f"{name}/single")]
    answers = [Answer(text=text, rows=(text,)) for text in _classes(single, naive_way, model)]
    boxed = [Answer(text=text, rows=(text,)) for text in _classes(single, box_way, model)]
    return {
        "single": _by_set(data, "single", readers, score),
        "multi": _by_set(data, "multi", readers, score_strings),
        "single_naive": score(single, answers),
        "single_box": score(single, boxed),
        "mixed": [
            {"file": picture.file.name, "label": picture.label, "read": "/".join(answer.rows)}
            for picture, answer in zip(mixed, _answers(mixed, readers), strict=True)
        ],
    }


def turned(data: Path, readers: Readers) -> dict[str, Any]:
    """Count the pictures of several digits that are read alike when they lie on a side or the head.

    Turned counterclockwise, so that so many degrees clockwise bring them upright.
    """
    pictures = [picture for name in SETS for picture in pictures_of(data, f"{name}/multi")]
    upright = _answers(pictures, readers)
    alike = {}
    for degrees in (90, 180, 270):
        answers = readers.read(_turned(picture.file, degrees) for picture in pictures)
        alike[str(degrees)] = sum(
            answer.text == before.text for answer, before in zip(answers, upright, strict=True)
        )
    return {"n": len(pictures), "alike": alike}


def _turned(file: Path, degrees: int) -> bytes:
    return png(np.rot90(decode(file).pixels, degrees // 90))


def without_digits(data: Path, readers: Readers) -> dict[str, Any]:
    """Count the pictures without a handwritten digit in which none is read, by kind.

    Right is where no digit is read; other signs may be.
    """
    pictures = pictures_of(data, "photos2/none")
    answers = _answers(pictures, readers)
    found = [answer.has_digit for answer in answers]
    result = summary(pictures, [answer.text for answer in answers], [not some for some in found])
    return result | {"digit_read": sum(found), "digit_read_share": sum(found) / len(found)}


def _by_set(
    data: Path,
    name: str,
    readers: Readers,
    scored: Callable[[list[Labelled], list[Answer]], dict[str, Any]],
) -> dict[str, Any]:
    """Score both sets together, and each under `by_set`."""
    pictures = {folder: pictures_of(data, f"{folder}/{name}") for folder in SETS}
    answers = {folder: _answers(some, readers) for folder, some in pictures.items()}
    together = scored([*chain(*pictures.values())], [*chain(*answers.values())])
    return together | {
        "by_set": {folder: scored(pictures[folder], answers[folder]) for folder in SETS}
    }


def _answers(pictures: list[Labelled], readers: Readers) -> list[Answer]:
    return readers.read(picture.file for picture in pictures)


def _classes(
    pictures: list[Labelled], way: Callable[[Path], npt.NDArray[np.float32]], model: Model
) -> list[str]:
    """Return the class of each picture that is brought into MNIST's form in a simple way."""
    images = np.stack([way(picture.file) for picture in pictures])
    return [str(class_) for class_ in model.classify(images).argmax(axis=1)]
