"""Calibration: the error's arithmetic, and the temperature that corrects overconfidence."""

import numpy as np
import numpy.typing as npt
import pytest

from cnn_mnist.evaluation.calibration import calibration_error, fit_temperature


def drawn(count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Logits, and labels drawn from their own softmax: perfectly calibrated."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 3, (count, 10)).astype(np.float32)
    labels = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)
    return logits, labels.astype(np.uint8)


def loss(logits: npt.NDArray[np.float64], labels: npt.NDArray[np.uint8]) -> float:
    wide = logits.astype(np.float64)
    return float((np.logaddexp.reduce(wide, axis=1) - wide[np.arange(len(labels)), labels]).mean())


def test_the_error_is_the_mean_gap_between_confidence_and_accuracy() -> None:
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.5, 0.5])
    correct = np.array([True, True, True, False, True, True])
    # four at 0.9 are right 3 times, two at 0.5 are right twice
    assert calibration_error(confidence, correct) == pytest.approx((4 * 0.15 + 2 * 0.5) / 6)


def test_certain_and_right_predictions_have_no_calibration_error() -> None:
    assert calibration_error(np.ones(5), np.ones(5, bool)) == 0


@pytest.mark.parametrize("factor", [0.25, 1.0, 4.0])
def test_the_temperature_undoes_a_factor_on_calibrated_logits(factor: float) -> None:
    logits, labels = drawn(50_000)
    assert fit_temperature(logits * np.float32(factor), labels) == pytest.approx(factor, rel=0.03)


def test_no_other_temperature_has_a_lower_loss() -> None:
    logits, labels = drawn(2_000)
    best = fit_temperature(logits, labels)
    here = loss(logits / best, labels)
    assert here < loss(logits / (best * 1.01), labels)
    assert here < loss(logits / (best / 1.01), labels)


def test_logits_that_are_always_right_or_always_wrong_stay_within_the_limits() -> None:
    logits = np.eye(10, dtype=np.float32)
    right, wrong = np.arange(10, dtype=np.uint8), np.roll(np.arange(10, dtype=np.uint8), 1)
    assert fit_temperature(logits, right) == 1
    assert fit_temperature(logits, wrong) == pytest.approx(100)
