"""Score how well digits of other hands and forms are read, one picture each.

They lie in the folder `hands` of `$CNN_MNIST_DATA` (see its README): single digits, whose label is
the first character of the file's name, and rows of ten boxes of a form.
"""

from pathlib import Path
from typing import Any

from answers import Readers
from scores import count_by, digits_right

SINGLE = ("form_cells", "optdigits_orig", "semeion", "chars74k_hnd")
ROWS = "form_rows"
ROW_LABEL = "0123456789"


def hands(data: Path, readers: Readers) -> dict[str, Any]:
    """Score each folder: right, refused, and wrong by digit.

    Args:
        data: the folder `$CNN_MNIST_DATA`.
        readers: what reads the pictures.
    """
    result = {name: _score(data / "hands" / name, None, readers) for name in SINGLE}
    return result | {ROWS: _score(data / "hands" / ROWS, ROW_LABEL, readers)}


def _score(folder: Path, label: str | None, readers: Readers) -> dict[str, Any]:
    """Score a folder; without a label, each file's is the first character of its name."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    labels = [label or path.name[0] for path in files]
    texts = [answer.text for answer in readers.read(files)]
    right = [text == true for text, true in zip(texts, labels, strict=True)]
    wrong = {
        name: counts["n"] - counts["right"] for name, counts in count_by(labels, right).items()
    }
    return {
        "n": len(files),
        "right": sum(right),
        "accuracy": sum(right) / len(right),
        "refused": sum(not text for text in texts),
        "wrong_by_label": wrong,
        "digits": digits_right(labels, texts),
        "wrong": [
            {"file": path.name, "read": text}
            for path, text, fine in zip(files, texts, right, strict=True)
            if not fine
        ],
    }
