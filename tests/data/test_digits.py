"""scikit-learn's digits in MNIST's form."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from cnn_mnist.data import digits
from cnn_mnist.data.dataset import Dataset, Split


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return digits.load()


@pytest.fixture(scope="module")
def images(dataset: Dataset) -> np.ndarray:
    """Return all 1,797 images in scikit-learn's order."""
    return np.concatenate([whole(dataset).images, dataset.test.images]).astype(np.float64)


def whole(dataset: Dataset) -> Split:
    """Return the training and validation images in scikit-learn's order."""
    assert dataset.validation_indices is not None
    return dataset.train.merged(dataset.validation, dataset.validation_indices)


def test_there_are_1500_and_297_digits_of_ten_classes(dataset: Dataset) -> None:
    assert dataset.name == "digits"
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 1375,
        "validation": 125,
        "test": 297,
    }
    assert dataset.classes == 10


def test_no_label_is_changed(dataset: Dataset) -> None:
    labels = np.concatenate([whole(dataset).labels, dataset.test.labels])
    np.testing.assert_array_equal(labels, load_digits().target)


def test_loading_twice_gives_the_same_data_set(dataset: Dataset) -> None:
    assert digits.load().sha256 == dataset.sha256


@pytest.mark.parametrize("axis", [1, 2])
def test_the_centre_of_mass_lies_as_in_mnist(images: np.ndarray, axis: int) -> None:
    mass = images.sum(axis=3 - axis)
    centre = mass @ (np.arange(28) + 0.5) / mass.sum(axis=1)
    assert np.abs(centre - 14.5).max() <= 0.5


@pytest.mark.parametrize("axis", [1, 2])
def test_no_digit_wraps_around_an_edge(images: np.ndarray, axis: int) -> None:
    inked = images.any(axis=3 - axis)
    first, last = inked.argmax(axis=1), 27 - inked[:, ::-1].argmax(axis=1)
    assert (last - first + 1).max() <= 20


def test_enlarging_scales_the_ink_with_the_area(images: np.ndarray) -> None:
    small = load_digits().images.sum(axis=(1, 2)) * (255 / 16)
    np.testing.assert_allclose(images.sum(axis=(1, 2)) / small, (20 / 8) ** 2, rtol=0.12)
