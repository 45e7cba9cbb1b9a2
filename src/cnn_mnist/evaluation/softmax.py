"""Turn logits into probabilities."""

from typing import Any

import numpy as np
import numpy.typing as npt


def log_softmax(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the log-probabilities of logits `(..., classes)` in float64.

    In float64 the sum of 10,000 losses near 0 keeps its digits.
    """
    wide = logits.astype(np.float64)
    log_probabilities: npt.NDArray[np.float64] = wide - np.logaddexp.reduce(
        wide, axis=-1, keepdims=True
    )
    return log_probabilities


def softmax(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the probabilities of logits `(..., classes)` in float64."""
    probabilities: npt.NDArray[np.float64] = np.exp(log_softmax(logits))
    return probabilities
