"""Decide which candidates are digits, with a small network of its own.

The rejector has seen a 1 with a flag, a 7 with a bar and, as one more class, much that is not a
digit. Its opinion about the class is pooled with the classifier's. A candidate is refused where the
rejector gives it too little probability of being a digit, or where it is much shorter than the
digits beside it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.inference.model import Model
from cnn_mnist.reading.candidates import Candidate

REJECTOR: Final = Path(__file__).parent / "rejector.onnx"
"""Ten digits and, as the last class, anything else; trained by tools/train_rejector.py."""

NOT_A_DIGIT: Final = "its form is not a digit's"
TOO_SHORT: Final = "it is much shorter than the digits beside it"

_SHORT: Final = 0.4  # of the tallest digit's height: shorter ones are not digits of the same row


@dataclass(frozen=True, eq=False)
class Verdict:
    """What the rejector and the classifier say together about the candidates of a row."""

    probabilities: npt.NDArray[np.float32]
    """`(N, classes)`."""
    scores: npt.NDArray[np.float32]
    """`(N,)`: the probability of being a digit times that of the most probable class."""
    reasons: list[str | None]
    """Why each is refused; None where it is a digit."""


def judge(
    candidates: list[Candidate],
    images: npt.NDArray[np.float32],
    classifier: Model,
    rejector: Model,
) -> Verdict:
    """Classify the candidates of a row, and refuse those that are not digits.

    Args:
        candidates: of one row.
        images: `(N, 28, 28)`, the candidates' images.
        classifier: a network of the ten digits.
        rejector: the network of `REJECTOR`.
    """
    judged = rejector.predict(images)[1]
    forms = 1 - judged[:, -1]
    probabilities = _pooled(classifier.predict(images)[1], judged[:, :-1])
    formed = forms >= threshold(rejector)
    heights = np.array([candidate.box[3] - candidate.box[1] for candidate in candidates])
    tall = heights >= _SHORT * heights.max(where=formed, initial=0)
    reasons = [
        NOT_A_DIGIT if not digit else TOO_SHORT if not long else None
        for digit, long in zip(formed, tall, strict=True)
    ]
    return Verdict(probabilities, forms * probabilities.max(axis=1), reasons)


def threshold(rejector: Model) -> float:
    """Return the least probability of a digit; fitted on MNIST's validation images."""
    return float(rejector.metadata["threshold"])


def _pooled(
    first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return the geometric mean of two opinions `(N, classes)` (the logarithmic opinion pool)."""
    pooled = np.sqrt(first * second) + 1e-12
    return np.asarray(pooled / pooled.sum(axis=1, keepdims=True), np.float32)
