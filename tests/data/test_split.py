"""The validation images are chosen at random, from every class, and always the same ones."""

import numpy as np
import pytest

from cnn_mnist.data.split import stratified


def labels_of(*counts: int) -> np.ndarray:
    """Return so many labels 0, then so many labels 1, and so on."""
    return np.repeat(np.arange(len(counts), dtype=np.uint8), counts)


def taken_of(counts: list[int], share: int = 12) -> list[int]:
    """Return how many images each class gives."""
    labels = labels_of(*counts)
    kept, taken = stratified(labels, share)
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, taken])), np.arange(len(labels)))
    return np.bincount(labels[taken], minlength=len(counts)).tolist()


def test_two_thousand_images_in_class_order_give_images_of_every_class() -> None:
    given = taken_of([200] * 10)
    assert sum(given) == 2000 // 12
    assert set(given) == {16, 17}


@pytest.mark.parametrize(
    ("counts", "given"),
    [
        ([120, 12, 240], [10, 1, 20]),
        ([2, 3, 100], [1, 1, 8]),
        ([1, 100], [0, 8]),
        ([0, 24, 0, 12], [0, 2, 0, 1]),
        ([18, 18], [2, 1]),
    ],
)
def test_every_class_of_two_or_more_gives_its_share_and_at_least_one(
    counts: list[int], given: list[int]
) -> None:
    assert taken_of(counts) == given


@pytest.mark.parametrize("share", [2, 3, 5, 12])
def test_no_class_gives_its_only_image(share: int) -> None:
    assert taken_of([1] * 30, share) == [0] * 30
    assert taken_of([2] * 30, share) == [1] * 30


def test_the_images_of_a_class_are_chosen_at_random() -> None:
    _, taken = stratified(labels_of(1200), 12)
    assert taken.tolist() == sorted(taken)
    assert 500 < taken.mean() < 700, "the mean of all is 599.5"
    assert len(np.unique(np.diff(taken))) > 10


def test_the_choice_depends_on_the_seed_and_on_nothing_else() -> None:
    labels = labels_of(120, 240)
    first, again, other = (stratified(labels, 12, seed)[1].tolist() for seed in (0, 0, 1))
    assert first == again != other
    # a data set is known by its hash, which the choice is part of: it must not change
    assert first[:6] == [5, 18, 36, 38, 39, 54]
