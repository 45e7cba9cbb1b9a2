"""Calibrate probabilities: does 90 % mean right nine times in ten?

Source of all functions: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural
Networks", 2017.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.evaluation.softmax import softmax

BINS: Final = 15

_LOWEST, _HIGHEST = 0.01, 100.0


def calibration_error(confidence: npt.NDArray[np.float64], correct: npt.NDArray[np.bool_]) -> float:
    """Return the expected calibration error: the mean gap of confidence and accuracy over bins.

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
    """Return what a reliability diagram shows: how often each bin of confidence was right.

    Args:
        confidence: see `calibration_error`, which is the mean gap between the two means below.
        correct: see `calibration_error`.

    Returns:
        For each of the `BINS` equal bins the number of examples, their mean confidence and the
        share of them that was right; both are 0 where there are no examples.
    """
    bins = _bins(confidence)
    counts = np.bincount(bins, minlength=BINS)
    sums = (np.bincount(bins, weights=of, minlength=BINS) for of in (confidence, correct))
    mean, share = (total / np.maximum(counts, 1) for total in sums)
    return list(zip(counts.tolist(), mean.tolist(), share.tolist(), strict=True))


def _bins(confidence: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.minimum((confidence * BINS).astype(np.int64), BINS - 1)


def fit_temperature(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]) -> float:
    """Fit the temperature that, dividing the logits, makes the labels most probable.

    It changes no prediction. Fit it on images that the network was not trained on.

    Args:
        logits: `(N, classes)`.
        labels: `(N,)`.

    Returns:
        The temperature, in [0.01, 100]: above 1 where the network is too confident. It is 1 where
        every prediction is right, since then no confidence is too high.
    """
    if (logits.argmax(axis=1) == labels).all():
        return 1.0
    wide = logits.astype(np.float64)
    own = wide[np.arange(len(labels)), labels]
    low, high = np.log(1 / _HIGHEST), np.log(1 / _LOWEST)
    # the mean loss is convex in 1 / temperature: halve the interval around its slope's zero
    for _ in range(50):
        middle = (low + high) / 2
        expected = (softmax(wide * np.exp(middle)) * wide).sum(axis=1)
        if (expected - own).mean() < 0:
            low = middle
        else:
            high = middle
    return float(np.exp(-(low + high) / 2))
