"""Calibration: does a probability of 90 % mean right nine times in ten? NumPy only.

Source of all functions: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural
Networks", 2017.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

BINS: Final = 15

_COLDEST, _HOTTEST = 0.01, 100.0


def calibration_error(confidence: npt.NDArray[np.float64], correct: npt.NDArray[np.bool_]) -> float:
    """Expected calibration error: the mean gap between confidence and accuracy over equal bins.

    Args:
        confidence: `(N,)`, the probability of each prediction, in [0, 1].
        correct: `(N,)`, whether it was right.

    Returns:
        A share in [0, 1].
    """
    gaps = np.bincount(_bins(confidence), weights=confidence - correct, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def reliability(
    confidence: npt.NDArray[np.float64], correct: npt.NDArray[np.bool_]
) -> list[tuple[int, float, float]]:
    """What a reliability diagram shows: for each equal bin of confidence, how often it was right.

    Args:
        confidence: see `calibration_error`, which is the mean gap between the two means below.
        correct: see `calibration_error`.

    Returns:
        For each of the `BINS` bins its examples, their mean confidence and the share of them that
        was right; both shares are 0 where there are no examples.
    """
    bins = _bins(confidence)
    counts = np.bincount(bins, minlength=BINS)
    sums = (np.bincount(bins, weights=of, minlength=BINS) for of in (confidence, correct))
    mean, share = (total / np.maximum(counts, 1) for total in sums)
    return list(zip(counts.tolist(), mean.tolist(), share.tolist(), strict=True))


def _bins(confidence: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.minimum((confidence * BINS).astype(np.int64), BINS - 1)


def fit_temperature(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]) -> float:
    """The temperature whose division makes the logits' softmax most probable, given the labels.

    It changes no prediction. Fit it on images that the network was not trained on.

    Args:
        logits: `(N, classes)`.
        labels: `(N,)`.

    Returns:
        The temperature, in [0.01, 100]: above 1 where the network is too sure of itself. It is 1
        where every prediction is right, for then nothing says how sure is too sure.
    """
    if (logits.argmax(axis=1) == labels).all():
        return 1.0
    wide = logits.astype(np.float64)
    own = wide[np.arange(len(labels)), labels]
    low, high = np.log(1 / _HOTTEST), np.log(1 / _COLDEST)
    # the mean loss is convex in 1 / temperature: halve the interval around its slope's zero
    for _ in range(50):
        middle = (low + high) / 2
        scaled = wide * np.exp(middle)
        scaled -= scaled.max(axis=1, keepdims=True)
        weights = np.exp(scaled)
        expected = (weights * wide).sum(axis=1) / weights.sum(axis=1)
        if (expected - own).mean() < 0:
            low = middle
        else:
            high = middle
    return float(np.exp(-(low + high) / 2))
