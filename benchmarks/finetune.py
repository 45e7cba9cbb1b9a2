"""Measure what fine-tuning on 50 pictures of one hand does to that hand, and to MNIST.

    CNN_MNIST_DATA=... python benchmarks/finetune.py qmnist-test-labels-idx2-int.gz TABLET \
        > benchmarks/results/finetune.json

The recipe `finetune` from the bundled model (`--from R`: from a run), with 5 pictures of each digit
of one writer; scored on the writer's other pictures, and on MNIST's test images without the 50. The
writers are those of MNIST's test images with 6 or more of each digit; who wrote what, QMNIST's
labels say (https://github.com/facebookresearch/qmnist). `hardest` are the 20 of them on whose
images the start has the highest loss. TABLET is a folder of digits drawn on a tablet, the label the
first character of the name: many hands, taken as one. Intervals are 95 % and over the writers
(bootstrap). The last line of standard output is one JSON object.
"""

import argparse
import gzip
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from record import print_result

from cnn_mnist import Classifier, Dataset, Split, load
from cnn_mnist.errors import ImageError
from cnn_mnist.evaluation.metrics import all_logits
from cnn_mnist.evaluation.softmax import log_softmax
from cnn_mnist.export.from_onnx import load_network
from cnn_mnist.inference.model import BUNDLED
from cnn_mnist.networks.classify import classify
from cnn_mnist.reading.training_pictures import read_digit
from cnn_mnist.training.malloc import tune_malloc

PER_DIGIT, HARDEST, RESAMPLES = 5, 20, 10_000
Array: TypeAlias = npt.NDArray[Any]


def writers(path: Path, test: Split) -> dict[str, Array]:
    """Return the indices of the test images of each writer with enough of every digit."""
    rows = np.frombuffer(gzip.decompress(path.read_bytes()), ">i4", offset=12).reshape(-1, 8)
    rows = rows[: len(test)]
    if (rows[:, 0] != test.labels).any():
        sys.exit(f"{path} does not describe MNIST's test images")
    of_writer = {str(writer): np.flatnonzero(rows[:, 2] == writer) for writer in set(rows[:, 2])}
    return {
        writer: indices
        for writer, indices in sorted(of_writer.items())
        if np.bincount(test.labels[indices], minlength=10).min() > PER_DIGIT
    }


def tablet_images(folder: Path) -> Split:
    """Read every picture of a folder in which a digit is found."""
    images, labels = [], []
    for path in sorted(folder.glob("*.png")):
        try:
            images.append(read_digit(path))
        except ImageError as error:
            print(error, file=sys.stderr)
        else:
            labels.append(int(path.name[0]))
    return Split(np.stack(images), np.array(labels, np.uint8))


def draw(labels: Array, seed: int) -> tuple[Array, Array]:
    """Return the indices of `PER_DIGIT` images of every digit, at random, and of the others."""
    order = np.random.default_rng(seed).permutation(len(labels))
    own = np.concatenate([order[labels[order] == digit][:PER_DIGIT] for digit in range(10)])
    return own, np.setdiff1d(order, own)


def scores(logits: Array, labels: Array) -> tuple[Array, Array]:
    """Return of each image whether it is read wrong, and its loss."""
    wrong = logits.argmax(axis=1) != labels
    return wrong, -log_softmax(logits)[np.arange(len(labels)), labels]


@dataclass(frozen=True, eq=False)
class Known:
    """What every hand starts from."""

    mnist: Dataset
    start: str
    """See `cnn_mnist.export.start.read_start`."""
    network: Any
    logits: Array
    """The network's, of MNIST's test images."""


def tune(own: Split, others: Split, known: Known) -> tuple[Any, float]:
    """Return the network fine-tuned on `own`, and the seconds that it took."""
    dataset = Dataset.from_arrays("hand", (own.images, own.labels), (others.images, others.labels))
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        classifier = Classifier(folder, "finetune", device="cpu", start=known.start)
        classifier.train(dataset, known=known.mnist)
        seconds = time.perf_counter() - began
        return classifier.network(), seconds


def measure(hand: Split, indices: Array | None, known: Known, seed: int) -> dict[str, Any]:
    """Fine-tune on 50 images of a hand, and score before and after.

    Args:
        hand: all images of the hand.
        indices: where they are among MNIST's test images, if they are.
        known: what it starts from.
        seed: chooses the 50.
    """
    own, others = draw(hand.labels, seed)
    network, seconds = tune(hand.take(own), hand.take(others), known)
    other = hand.take(others)
    result: dict[str, Any] = {"n": len(others), "seconds": seconds}
    for name, model in (("before", known.network), ("after", network)):
        wrong, loss = scores(all_logits(partial(classify, model), other), other.labels)
        result[name] = {"errors": int(wrong.sum()), "loss": float(loss.sum())}
    kept = np.setdiff1d(np.arange(len(known.logits)), indices[own] if indices is not None else [])
    test = known.mnist.test
    after = all_logits(partial(classify, network), test)
    for name, logits in (("before", known.logits), ("after", after)):
        wrong, _ = scores(logits[kept], test.labels[kept])
        result[name]["mnist"] = float(1 - wrong.mean())
    return result


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return how much errors and loss fall over several hands, with intervals over the hands."""
    result: dict[str, Any] = {"hands": len(rows), "n": sum(row["n"] for row in rows)}
    picks = np.random.default_rng(0).integers(len(rows), size=(RESAMPLES, len(rows)))
    for key in ("errors", "loss"):
        before, after = (
            np.array([row[when][key] for row in rows], float) for when in ("before", "after")
        )
        result[key] = {"before": before.sum(), "after": after.sum()}
        if before.sum():
            sums = before[picks].sum(axis=1)
            falls = 1 - after[picks].sum(axis=1)[sums > 0] / sums[sums > 0]
            low, high = np.quantile(falls, [0.025, 0.975])
            fall = 1 - after.sum() / before.sum()
            result[key] |= {"falls_by": fall, "interval": [low, high]}
    change = np.array([row["after"]["mnist"] - row["before"]["mnist"] for row in rows])
    low, high = np.quantile(change[picks].mean(axis=1), [0.025, 0.975])
    result["mnist_change"] = {"mean": change.mean(), "interval": [low, high], "min": change.min()}
    seconds = [row["seconds"] for row in rows]
    result["seconds"] = {"median": float(np.median(seconds)), "max": max(seconds)}
    return result


def merged(draws: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean of several draws of one hand."""
    first = draws[0]
    return {
        key: merged([draw[key] for draw in draws])
        if isinstance(first[key], dict)
        else float(np.mean([draw[key] for draw in draws]))
        for key in first
    }


def hands(
    arguments: argparse.Namespace, mnist: Dataset, loss: Array
) -> Iterator[tuple[str, Split, Array | None]]:
    """Yield name, images and places in MNIST's test images, the hardest writers first."""
    found = writers(arguments.labels, mnist.test)
    order = sorted(found, key=lambda writer: -loss[found[writer]].mean())
    for writer in order[: arguments.writers]:
        yield writer, mnist.test.take(found[writer]), found[writer]
    if arguments.tablet:
        yield "tablet", tablet_images(arguments.tablet), None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", type=Path)
    parser.add_argument("tablet", type=Path, nargs="?")
    parser.add_argument("--writers", type=int, help="the hardest N only")
    parser.add_argument("--from", dest="start", default="bundled", help="or a run directory")
    parser.add_argument("--draws", type=int, default=1, help="choices of the 50, averaged")
    arguments = parser.parse_args()
    tune_malloc()  # as `cnn-mnist train` does
    mnist, is_run = load("mnist"), arguments.start != "bundled"
    network = Classifier(arguments.start).network() if is_run else load_network(BUNDLED)[0]
    logits = all_logits(partial(classify, network), mnist.test)
    known = Known(mnist, arguments.start, network, logits)
    rows = {}
    for name, images, indices in hands(arguments, mnist, scores(logits, mnist.test.labels)[1]):
        draws = [measure(images, indices, known, seed) for seed in range(arguments.draws)]
        rows[name] = merged(draws)
        print(name, rows[name], file=sys.stderr)
    of_writers = [row for name, row in rows.items() if name != "tablet"]
    result: dict[str, Any] = {
        "recipe": "finetune",
        "from": Path(arguments.start).name,
        "draws": arguments.draws,
        "cores": os.cpu_count(),
        "hardest": summary(of_writers[:HARDEST]),
        "all": summary(of_writers),
        "hands": rows,
    }
    if "tablet" in rows:
        result["tablet"] = summary([rows["tablet"]])
    print_result(result, "torch")


if __name__ == "__main__":
    main()
