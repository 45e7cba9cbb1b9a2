"""A data set in memory: its splits are checked, disjoint, and hashed."""

from dataclasses import replace

import numpy as np
import pytest

from cnn_mnist.data.dataset import Dataset, Split
from cnn_mnist.errors import DataError


def pair(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images that hold their own index, and labels 0 to 9."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0] = np.arange(count)
    return images, (np.arange(count) % 10).astype(np.uint8)


def tiny() -> Dataset:
    return Dataset.from_arrays("tiny", pair(120), pair(30))


def test_the_first_twelfth_of_the_training_images_is_the_validation_split() -> None:
    dataset = tiny()
    assert dataset.validation.images[:, 0, 0].tolist() == list(range(10))
    assert dataset.train.images[:, 0, 0].tolist() == list(range(10, 120))
    assert dataset.test.images[:, 0, 0].tolist() == list(range(30))


def test_labels_stay_with_their_images() -> None:
    for split in tiny().splits.values():
        assert (split.images[:, 0, 0] % 10 == split.labels).all()


def test_the_length_of_a_split_is_its_number_of_images() -> None:
    assert {name: len(split) for name, split in tiny().splits.items()} == {
        "train": 110,
        "validation": 10,
        "test": 30,
    }


def test_twelve_training_images_are_enough_and_eleven_are_not() -> None:
    assert len(Dataset.from_arrays("tiny", pair(12), pair(1)).validation) == 1
    with pytest.raises(DataError, match="tiny has 11 training images: at least 12"):
        Dataset.from_arrays("tiny", pair(11), pair(1))


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((3, 28, 28)), np.zeros(3, np.uint8), "uint8, not float64"),
        (np.zeros((3, 28, 28), np.uint8), np.zeros(3, np.int64), "uint8 and int64"),
        (np.zeros((3, 32, 32), np.uint8), np.zeros(3, np.uint8), r"\(3, 32, 32\), expected"),
        (np.zeros((3, 784), np.uint8), np.zeros(3, np.uint8), r"\(3, 784\), expected"),
        (np.zeros((3, 28, 28), np.uint8), np.zeros(4, np.uint8), r"3 images have \(4,\) labels"),
        (np.zeros((3, 28, 28), np.uint8), np.zeros((3, 10), np.uint8), r"\(3, 10\) labels"),
        (np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8), "at least one image"),
    ],
)
def test_arrays_of_the_wrong_type_or_shape_are_refused(
    images: np.ndarray, labels: np.ndarray, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        Split(images, labels)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_highest_label_of_any_split_sets_the_number_of_classes(split: str) -> None:
    dataset = tiny()
    assert dataset.classes == 10
    high = Split(dataset.splits[split].images, dataset.splits[split].labels + np.uint8(37))
    assert replace(dataset, **{split: high}).classes == 47


def test_the_hash_does_not_depend_on_the_memory_layout() -> None:
    images, labels = pair(120)
    strided = np.repeat(images, 2, axis=0)[::2], np.repeat(labels, 2)[::2]
    assert Dataset.from_arrays("other name", strided, pair(30)).sha256 == tiny().sha256


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("array", ["images", "labels"])
def test_the_hash_changes_with_any_value(split: str, array: str) -> None:
    dataset = tiny()
    getattr(dataset.splits[split], array).flat[-1] += 1
    assert dataset.sha256 != tiny().sha256


def test_the_hash_changes_where_a_split_ends_elsewhere() -> None:
    blank = np.zeros((60, 28, 28), np.uint8), np.zeros(60, np.uint8)
    hashes = set()
    for cut in (20, 40):
        parts = [(array[:cut], array[cut:]) for array in blank]
        train, test = zip(*parts, strict=True)
        hashes.add(Dataset.from_arrays("blank", train, test).sha256)
    assert len(hashes) == 2
