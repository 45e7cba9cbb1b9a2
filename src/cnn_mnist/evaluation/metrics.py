"""Score a classifier on EVERY image of a split: accuracy, loss, confusion and what follows.

NumPy only, so that a trained network and an exported one are scored by the same lines.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from cnn_mnist.data.class_names import are_numbers, default_names
from cnn_mnist.data.dataset import Split
from cnn_mnist.errors import NonFiniteLossError
from cnn_mnist.evaluation.calibration import calibration_error
from cnn_mnist.evaluation.softmax import log_softmax

Logits = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
"""A classifier: images `(B, 28, 28) uint8` to logits `(B, classes) float32`."""


def evaluate(classify: Logits, split: Split, *, batch_size: int = 500) -> dict[str, Any]:
    """Score a classifier on every image of a split, the last short batch included.

    Args:
        classify: computes the logits of a batch of images.
        split: the images and their true labels.
        batch_size: images at a time; changes memory and speed only.

    Returns:
        See `metrics`.
    """
    return metrics(all_logits(classify, split, batch_size=batch_size), split.labels)


def all_logits(classify: Logits, split: Split, *, batch_size: int = 500) -> npt.NDArray[np.float32]:
    """Compute the logits of every image of a split, `(N, classes)`; see `evaluate`."""
    parts = [
        classify(split.images[start : start + batch_size])
        for start in range(0, len(split), batch_size)
    ]
    return np.concatenate(parts)


def metrics(
    logits: npt.NDArray[np.float32],
    labels: npt.NDArray[np.uint8],
    class_names: tuple[str, ...] | None = None,
) -> dict[str, Any]:
    """Score logits against labels.

    Args:
        logits: `(N, classes)`.
        labels: `(N,)`, each below `classes`.
        class_names: the name of each class; None takes the numbers.

    Returns:
        Plain JSON values:
        `accuracy`: share of examples whose largest logit is the label's;
        `loss`: mean softmax cross-entropy in nats (the negative log-likelihood);
        `expected_calibration_error`: see `calibration.py`;
        `n`: number of examples;
        `per_class`: a list of `{class, precision, recall, f1, support}`; null where no example
        defines the value; `name` beside `class` where the classes have names;
        `confusion`: `confusion[label][prediction]` counts.

    Raises:
        NonFiniteLossError: a logit is NaN or infinite, so that no metric has a meaning.
    """
    if spoilt := int((~np.isfinite(logits)).any(axis=1).sum()):
        raise NonFiniteLossError(
            f"the network's logits are NaN or infinite on {spoilt:,} of {len(logits):,} images: "
            "its training diverged; lower the recipe's learning rate"
        )
    log_probabilities = log_softmax(logits)
    predictions = logits.argmax(axis=1)
    classes = logits.shape[1]
    confusion = np.bincount(labels.astype(np.int64) * classes + predictions, minlength=classes**2)
    confusion = confusion.reshape(classes, classes)
    confidence = np.exp(log_probabilities.max(axis=1))
    return {
        "accuracy": float((predictions == labels).mean()),
        "loss": -float(log_probabilities[np.arange(len(labels)), labels].mean()),
        "expected_calibration_error": calibration_error(confidence, predictions == labels),
        "n": len(labels),
        "per_class": _per_class(confusion, class_names or default_names(classes)),
        "confusion": confusion.tolist(),
    }


def _per_class(
    confusion: npt.NDArray[np.int64], class_names: tuple[str, ...]
) -> list[dict[str, Any]]:
    rows = []
    named = not are_numbers(class_names)
    for label, right in enumerate(confusion.diagonal().tolist()):
        support, predicted = int(confusion[label].sum()), int(confusion[:, label].sum())
        rows.append(
            {
                "class": label,
                **({"name": class_names[label]} if named else {}),
                "precision": right / predicted if predicted else None,
                "recall": right / support if support else None,
                "f1": 2 * right / (support + predicted) if support + predicted else None,
                "support": support,
            }
        )
    return rows
