"""Score how well photographs of handwritten digits are read, by us and in two simpler ways.

The simpler ways are the naive one (grey, inverted if bright, resized to 28x28), and MNIST's
normalisation alone (thresholded, fitted to a box of 20x20, centred).
"""

import csv
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnn_mnist import Model, read
from cnn_mnist.data.mnist_form import centre_by_mass, rescale
from cnn_mnist.reading.decode import decode

SEED = 1
Answer = Callable[[Path], str]


def naive_way(path: Path) -> npt.NDArray[np.float32]:
    """Return the image in grey, inverted if bright, resized to 28x28."""
    grey = _grey(path)
    small = np.asarray(
        Image.fromarray(grey).resize((28, 28), Image.Resampling.BILINEAR), np.float32
    )
    return (255 - small if grey.mean() > 127 else small) / 255


def box_way(path: Path) -> npt.NDArray[np.float32]:
    """Return the ink above half of its range, fitted to 20x20, centred by mass in 28x28."""
    grey = _grey(path).astype(np.float32)
    ink = 255 - grey if grey.mean() > 127 else grey
    ink = (ink - ink.min()) / max(np.ptp(ink), 1)
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis=axis)) for axis in (1, 0))
    box = np.where(ink > 0.5, ink, 0)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return centre_by_mass(rescale(box, 20 / max(box.shape)))


def _grey(path: Path) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.fromarray(decode(path).pixels).convert("L"))


def read_list(folder: Path, name: str) -> list[dict[str, str]]:
    """Read a list of photographs; `file` of each row is its path."""
    with (folder / name).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [row | {"file": str(folder / row["local_file"])} for row in rows]


def score(rows: list[dict[str, str]], answer: Answer) -> dict[str, Any]:
    """Return the share of right answers, its interval, and counts by condition and source."""
    right = [answer(Path(row["file"])) == row["label"] for row in rows]
    sources = [row["owner/repo"] for row in rows]
    conditions = [row["condition"].split(",")[0] for row in rows]
    return {
        "n": len(rows),
        "right": sum(right),
        "accuracy": sum(right) / len(rows),
        "interval": interval(right, sources),
        "by_condition": count_by(conditions, right),
        "by_source": count_by(sources, right),
        "wrong": [
            Path(row["file"]).name for row, fine in zip(rows, right, strict=True) if not fine
        ],
    }


def count_by(keys: list[str], right: list[bool]) -> dict[str, dict[str, int]]:
    """Count how many answers there are for each key, and how many are right."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: {"n": 0, "right": 0})
    for key, fine in zip(keys, right, strict=True):
        found[key]["n"] += 1
        found[key]["right"] += fine
    return dict(sorted(found.items()))


def interval(right: list[bool], sources: list[str]) -> list[float]:
    """Return the 95 % interval of the accuracy from a bootstrap over sources."""
    groups = count_by(sources, right)
    counts = np.array([(group["right"], group["n"]) for group in groups.values()])
    draws = np.random.default_rng(SEED).integers(len(counts), size=(10_000, len(counts)))
    sums = counts[draws].sum(axis=1)
    return [float(end) for end in np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])]


def photographs(folder: Path, model: Model) -> dict[str, Any]:
    """Score the photographs, read by us and in the two simpler ways."""
    single, multi = read_list(folder, "single.tsv"), read_list(folder, "multi.tsv")
    refused = 0

    def ours(path: Path) -> str:
        nonlocal refused
        reading = read(path, model)
        refused += not reading.text
        return reading.text

    def by_network(way: Callable[[Path], npt.NDArray[np.float32]]) -> Answer:
        return lambda path: str(model.classify(way(path)).argmax())

    result = {"single": score(single, ours)}
    return result | {
        "single_refused": refused,
        "multi": score(multi, ours),
        "single_naive": score(single, by_network(naive_way)),
        "single_box": score(single, by_network(box_way)),
    }
