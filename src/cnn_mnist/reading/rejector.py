"""Decide which candidates are digits, with a small network of its own.

The rejector was trained with digits in more styles (a 1 with a flag, a 7 with a bar) and, as one
more class, with much that is not a digit. Its class probabilities are pooled with the classifier's.
A candidate is refused where the rejector gives it too little probability of being a digit, or where
it is much shorter than the digits beside it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.data.class_names import default_names
from cnn_mnist.inference.model import Model
from cnn_mnist.reading.finder import Candidate

REJECTOR: Final = Path(__file__).parent / "rejector.onnx"
"""Its classes are the ten digits and, as the last, anything else; see tools/train_rejector.py."""

NOT_A_DIGIT: Final = "its form is not a digit's"
TOO_SHORT: Final = "it is much shorter than the digits beside it"

_LEAST_HEIGHT: Final = 0.4  # of the row's tallest digit: shorter candidates are refused


@dataclass(frozen=True, eq=False)
class Assessment:
    """The rejector's and the classifier's common result for the `N` candidates of a row."""

    probabilities: npt.NDArray[np.float32]
    """`(N, classes)`, without the rejector's last class."""
    scores: npt.NDArray[np.float32]
    """`(N,)`: the probability of being a digit times that of the most probable class."""
    reasons: list[str | None]
    """Why each is refused; None where it is a digit."""


def assess(
    candidates: list[Candidate],
    images: npt.NDArray[np.float32],
    classifier: Model,
    rejector: Model,
) -> Assessment:
    """Classify the candidates of a row, and refuse those that are not digits.

    Args:
        candidates: the candidates of one row.
        images: `(N, 28, 28)`, their images.
        classifier: a network; its probabilities stand alone where its classes are not the ten
            digits. Where they have names such as letters, nothing is refused for its form.
        rejector: the network in `REJECTOR`.
    """
    rejector_probabilities = rejector.predict(images)[1]
    digit_probabilities = 1 - rejector_probabilities[:, -1]
    probabilities = classifier.predict(images)[1]
    if classifier.class_names == default_names(rejector.classes - 1):
        probabilities = _pool(probabilities, rejector_probabilities[:, :-1])
    elif not _are_numbers(classifier.class_names):
        digit_probabilities = np.ones_like(digit_probabilities)
    is_digit = digit_probabilities >= threshold(rejector)
    heights = np.array([candidate.box[3] - candidate.box[1] for candidate in candidates])
    is_tall = heights >= _LEAST_HEIGHT * heights.max(where=is_digit, initial=0)
    reasons = [
        NOT_A_DIGIT if not digit else TOO_SHORT if not tall else None
        for digit, tall in zip(is_digit, is_tall, strict=True)
    ]
    return Assessment(probabilities, digit_probabilities * probabilities.max(axis=1), reasons)


def _are_numbers(names: tuple[str, ...]) -> bool:
    """Return whether classes are digits by their names, or have no names but their numbers."""
    return set(names) <= set(default_names(10)) or names == default_names(len(names))


def threshold(rejector: Model) -> float:
    """Return the least accepted probability of a digit, fitted on MNIST's validation images."""
    return float(rejector.metadata["threshold"])


def _pool(
    first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Pool probabilities `(N, classes)` by their geometric mean (the logarithmic opinion pool)."""
    pooled = np.sqrt(first * second) + 1e-12
    return np.asarray(pooled / pooled.sum(axis=1, keepdims=True), np.float32)
