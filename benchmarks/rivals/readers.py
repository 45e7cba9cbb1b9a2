"""Read the pictures that photographs.py scores with other programs, for comparison.

    pip install rapidocr_onnxruntime ddddocr pytesseract    # in an environment of its own
    CNN_MNIST_DATA=... python benchmarks/rivals/readers.py > benchmarks/results/readers.json

RapidOCR's recogniser reads the whole picture as one line, and all of RapidOCR finds lines first;
Tesseract is told one character or one block, and digits only; ddddocr reads the whole picture. Of
what they print the digits count, whatever else is there. Needs the program `tesseract`.
"""

import csv
import json
import os
import platform
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytesseract
from ddddocr import DdddOcr
from PIL import Image, ImageOps
from rapidocr_onnxruntime import RapidOCR

Read = Callable[[Image.Image, bool], str]
"""A picture, and whether it has one digit, to text."""
_rapid, _dddd = RapidOCR(intra_op_num_threads=1), DdddOcr(show_ad=False)


def rapid_line(picture: Image.Image, single: bool) -> str:
    """Read a picture as one line."""
    result, _ = _rapid(np.asarray(picture), use_det=False, use_cls=False)
    return "".join(text for text, *_ in result or [])


def rapid_page(picture: Image.Image, single: bool) -> str:
    """Read the lines that are found in a picture."""
    result, _ = _rapid(np.asarray(picture))
    return "".join(line[1] for line in result or [])


def tesseract(picture: Image.Image, single: bool) -> str:
    """Read a picture as one character, or as a block."""
    mode = 10 if single else 6
    config = f"--psm {mode} -c tessedit_char_whitelist=0123456789"
    return str(pytesseract.image_to_string(picture, config=config, timeout=60))


def dddd(picture: Image.Image, single: bool) -> str:
    """Read a picture as ddddocr does."""
    return str(_dddd.classification(picture))


READERS: dict[str, Read] = {
    "RapidOCR, recogniser": rapid_line,
    "RapidOCR, all": rapid_page,
    "Tesseract": tesseract,
    "ddddocr": dddd,
}


def score(data: Path, kind: str, read: Read) -> dict[str, Any]:
    """Count the pictures of a list that are read right."""
    right = pictures = distance = length = 0
    for folder in ("photos", "photos2"):
        with (data / folder / f"{kind}.tsv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
        for row in rows:
            with Image.open(data / folder / row["local_file"]) as image:
                picture = ImageOps.exif_transpose(image.convert("RGB"))
            picture.thumbnail((1280, 1280))
            text = re.sub("[^0-9]", "", read(picture, kind == "single"))
            pictures, right = pictures + 1, right + (text == row["label"])
            length, distance = length + len(row["label"]), distance + edits(text, row["label"])
    return {"n": pictures, "right": right, "digits": max(0.0, 1 - distance / length)}


def edits(text: str, label: str) -> int:
    """Return how many characters differ (Levenshtein)."""
    row = list(range(len(label) + 1))
    for i, character in enumerate(text, start=1):
        diagonal, row[0] = row[0], i
        for j, wanted in enumerate(label, start=1):
            cost = min(row[j] + 1, row[j - 1] + 1, diagonal + (character != wanted))
            diagonal, row[j] = row[j], cost
    return row[-1]


def main() -> None:
    """Measure and print."""
    data = Path(os.environ["CNN_MNIST_DATA"])
    scores = {
        name: {kind: score(data, kind, read) for kind in ("single", "multi")}
        for name, read in READERS.items()
    }
    packages = ("rapidocr_onnxruntime", "ddddocr", "pytesseract", "onnxruntime")
    versions = {name: version(name) for name in packages}
    versions["tesseract"] = str(pytesseract.get_tesseract_version())
    print(json.dumps({"readers": scores, "versions": versions, "system": platform.system()}))


if __name__ == "__main__":
    main()
