"""The metrics, compared with scikit-learn's."""

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
)
from tiny import tiny_split

from cnn_mnist.errors import NonFiniteLossError
from cnn_mnist.evaluation.metrics import evaluate, metrics

Arrays = tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]


@pytest.fixture(params=[(1003, 10, 3.0), (40, 3, 0.1), (500, 26, 4.0)], ids=str)
def examples(request: pytest.FixtureRequest) -> Arrays:
    """Random logits and labels that fit them now and then, of several sizes and scales."""
    n, classes, scale = request.param
    random = np.random.default_rng(n)
    labels = (np.arange(n) % classes).astype(np.uint8)
    logits = random.normal(size=(n, classes)) * scale
    logits[np.arange(n), labels] += scale
    # some too sure and some too timid, so that the bins of the calibration differ in sign
    logits *= random.choice([0.2, 2.0], size=(n, 1))
    return logits.astype(np.float32), labels


def softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_the_metrics_equal_scikit_learns(examples: Arrays) -> None:
    logits, labels = examples
    classes = range(logits.shape[1])
    result, predictions = metrics(logits, labels), logits.argmax(axis=1)
    assert result["accuracy"] == pytest.approx(accuracy_score(labels, predictions))
    assert result["loss"] == pytest.approx(log_loss(labels, softmax(logits), labels=classes))
    assert result["confusion"] == confusion_matrix(labels, predictions, labels=classes).tolist()
    assert result["n"] == len(labels)
    table = precision_recall_fscore_support(
        labels, predictions, labels=classes, zero_division=np.nan
    )
    for row, (precision, recall, f1, support) in zip(
        result["per_class"], zip(*table, strict=True), strict=True
    ):
        assert row["support"] == support
        for key, expected in (("precision", precision), ("recall", recall), ("f1", f1)):
            assert row[key] == (None if np.isnan(expected) else pytest.approx(expected))
    assert [row["class"] for row in result["per_class"]] == list(classes)


def test_the_calibration_error_equals_a_slow_loops(examples: Arrays) -> None:
    logits, labels = examples
    gap = 0.0
    for number in range(15):
        confidences, hits = [], []
        for row, label in zip(softmax(logits), labels, strict=True):
            if number / 15 < row.max() <= (number + 1) / 15:
                confidences.append(row.max())
                hits.append(row.argmax() == label)
        if hits:
            gap += len(hits) / len(labels) * abs(np.mean(confidences) - np.mean(hits))
    assert metrics(logits, labels)["expected_calibration_error"] == pytest.approx(gap)


@pytest.mark.parametrize(
    ("count", "sizes"), [(1003, [500, 500, 3]), (1000, [500, 500]), (7, [7]), (1, [1])]
)
def test_every_example_counts(count: int, sizes: list[int]) -> None:
    split = tiny_split(count)
    seen = []

    def classify(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Right but for the very last image."""
        first = sum(seen)
        seen.append(len(images))
        np.testing.assert_array_equal(images, split.images[first : first + len(images)])
        logits = np.eye(10, dtype=np.float32)[split.labels[first : first + len(images)]]
        if first + len(images) == count:
            logits[-1] = -logits[-1]
        return logits

    result = evaluate(classify, split, batch_size=500)
    assert seen == sizes
    assert result["n"] == np.sum(result["confusion"]) == count
    assert result["accuracy"] == (count - 1) / count


def test_the_batch_size_changes_no_metric() -> None:
    split = tiny_split(53)

    def classify(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return images[:, 3, :10].astype(np.float32) / 50

    assert evaluate(classify, split, batch_size=1) == evaluate(classify, split, batch_size=500)


def test_a_class_without_examples_has_null_metrics() -> None:
    labels = np.array([0, 0, 1], np.uint8)
    logits = np.eye(4, dtype=np.float32)[[0, 1, 1]]
    rows: list[dict[str, Any]] = metrics(logits, labels)["per_class"]
    assert rows[1] == {"class": 1, "precision": 0.5, "recall": 1, "f1": 2 / 3, "support": 1}
    assert rows[3] == {"class": 3, "precision": None, "recall": None, "f1": None, "support": 0}


def test_a_class_never_predicted_has_no_precision() -> None:
    logits = np.eye(3, dtype=np.float32)[[0, 0]]
    rows = metrics(logits, np.array([0, 2], np.uint8))["per_class"]
    assert rows[2] == {"class": 2, "precision": None, "recall": 0, "f1": 0, "support": 1}


def test_huge_logits_do_not_overflow() -> None:
    logits = np.array([[1e38, -1e38], [0, 1e4]], np.float32)
    result = metrics(logits, np.array([1, 1], np.uint8))
    assert result["loss"] == pytest.approx(1e38, rel=1e-6)  # 2e38 and 0
    assert result["expected_calibration_error"] == 0.5
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_small_losses_keep_their_digits() -> None:
    logits = np.array([[0, -20]] * 1000, np.float32)
    result = metrics(logits, np.zeros(1000, np.uint8))
    assert result["loss"] == pytest.approx(np.log1p(np.exp(-20)), rel=1e-5, abs=0)


def test_certain_and_right_predictions_have_no_loss() -> None:
    result = metrics(np.eye(10, dtype=np.float32) * 1000, np.arange(10, dtype=np.uint8))
    assert (result["accuracy"], result["loss"], result["expected_calibration_error"]) == (1, 0, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_give_an_error_and_no_metrics(value: float) -> None:
    logits = np.zeros((5, 3), np.float32)
    logits[2, 1] = value
    with pytest.raises(NonFiniteLossError, match="1 of 5 images"):
        metrics(logits, np.zeros(5, np.uint8))


def test_named_classes_have_their_name_beside_their_number() -> None:
    logits, labels = np.eye(2, dtype=np.float32), np.arange(2, dtype=np.uint8)
    rows = metrics(logits, labels, ("cat", "dog"))["per_class"]
    assert [(row["class"], row["name"]) for row in rows] == [(0, "cat"), (1, "dog")]
    assert metrics(logits, labels, ("0", "1")) == metrics(logits, labels)
