"""A data set in memory: its splits are checked, disjoint, and hashed."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from tiny import tiny_recipe, tiny_split

from cnn_mnist.data.dataset import Dataset, Split
from cnn_mnist.errors import DataError
from cnn_mnist.training.trainer import Trainer


def pair(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images that hold their own index, and labels 0 to 9."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0] = np.arange(count)
    return images, (np.arange(count) % 10).astype(np.uint8)


def tiny() -> Dataset:
    return Dataset.from_arrays("tiny", pair(120), pair(30))


def test_where_it_is_asked_for_the_first_twelfth_is_the_validation_split() -> None:
    dataset = Dataset.from_arrays("tiny", pair(120), pair(30), first=True)
    assert dataset.validation.images[:, 0, 0].tolist() == list(range(10))
    assert dataset.train.images[:, 0, 0].tolist() == list(range(10, 120))
    assert dataset.test.images[:, 0, 0].tolist() == list(range(30))


def test_else_the_validation_split_is_a_twelfth_of_every_class() -> None:
    images, _ = pair(120)
    in_class_order = np.repeat(np.arange(5, dtype=np.uint8), [48, 36, 12, 12, 12])
    dataset = Dataset.from_arrays("tiny", (images, in_class_order), pair(30))
    assert np.bincount(dataset.validation.labels).tolist() == [4, 3, 1, 1, 1]
    assert np.bincount(dataset.train.labels).tolist() == [44, 33, 11, 11, 11]
    both = [*dataset.train.images[:, 0, 0], *dataset.validation.images[:, 0, 0]]
    assert sorted(both) == list(range(120))


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
    assert len(Dataset.from_arrays("tiny", pair(12), pair(1)).validation) == 2
    with pytest.raises(DataError, match="tiny has 11 training images: at least 12"):
        Dataset.from_arrays("tiny", pair(11), pair(1))


def test_images_of_which_no_two_are_of_one_class_are_refused() -> None:
    images, _ = pair(12)
    with pytest.raises(DataError, match="tiny has no two training images of one class"):
        Dataset.from_arrays("tiny", (images, np.arange(12, dtype=np.uint8)), pair(1))


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
    more = replace(dataset, class_names=(), **{split: high})
    assert more.classes == 47
    assert more.class_names == tuple(map(str, range(47)))


def test_class_names_are_kept_and_may_be_more_than_the_labels() -> None:
    names = tuple("ABCDEFGHIJKL")
    dataset = Dataset.from_arrays("letters", pair(120), pair(30), class_names=names)
    assert (dataset.class_names, dataset.classes) == (names, 12)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (list("ABCDEFGHI"), r"letters has 9 class names, but a label 9: give a name for each"),
        (["A"] * 10, "letters: two classes have the name 'A'"),
        ([*"ABCDEFGHI", "\x1b[31m"], r"the class name '\\x1b\[31m' is not one of 1 to 64"),
        ([*"ABCDEFGHI", "J" * 65], "is not one of 1 to 64 printable characters"),
        ([*"ABCDEFGHI", " "], "the class name ' ' is not one"),
        ([*"ABCDEFGHI", 9], "the class name 9 is not a text"),
        (list(map(str, range(257))), "there are 257 class names, not 1 to 256"),
    ],
)
def test_class_names_that_cannot_be_shown_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Dataset.from_arrays("letters", pair(120), pair(30), class_names=names)


def test_the_hash_changes_with_class_names_and_not_where_they_are_the_numbers() -> None:
    def named(names: list[str]) -> str:
        return Dataset.from_arrays("tiny", pair(120), pair(30), class_names=names).sha256

    assert named(list("0123456789")) == tiny().sha256
    assert len({named(list("ABCDEFGHIJ")), named(list("JIHGFEDCBA")), tiny().sha256}) == 3


def test_in_the_split_of_version_0_1_it_has_the_hash_of_version_0_1() -> None:
    old = Dataset.from_arrays("tiny", pair(120), pair(30), first=True)
    found = tiny().split_as(old.sha256)
    assert found.sha256 == old.sha256
    np.testing.assert_array_equal(found.validation.images, old.validation.images)
    np.testing.assert_array_equal(found.train.labels, old.train.labels)


@pytest.mark.parametrize("sha256", [None, "0" * 64])
def test_for_any_other_hash_the_split_stays(sha256: str | None) -> None:
    dataset = tiny()
    assert dataset.split_as(sha256) is dataset
    assert dataset.split_as(dataset.sha256) is dataset


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
        hashes.add(Dataset.from_arrays("blank", train, test, first=True).sha256)
    assert len(hashes) == 2


# --- batches


def test_batches_are_those_that_a_training_with_the_same_seed_takes() -> None:
    split = tiny_split(50)
    trainer = Trainer(tiny_recipe(batch_size=16), split, 10, seed=3, device="cpu")
    batches = split.batches(16, shuffle=True, num_epochs=None, seed=3)
    for images, labels in islice(batches, 7):
        expected_images, expected_labels = trainer.batch()
        np.testing.assert_array_equal(images, expected_images.numpy())
        np.testing.assert_array_equal(labels, expected_labels.numpy())
        assert (images.shape, images.dtype, labels.dtype) == ((16, 1, 28, 28), np.float32, np.int64)
        trainer.advance()


def test_batches_of_epochs_hold_each_image_so_often_and_end() -> None:
    split = tiny_split(10)
    for shuffle in (True, False):
        batches = list(split.batches(4, shuffle=shuffle, num_epochs=2, seed=1))
        assert [len(labels) for _, labels in batches] == [4, 4, 4, 4, 4]
        found = np.concatenate([labels for _, labels in batches])
        for epoch in (found[:10], found[10:]):
            same = epoch if not shuffle else np.sort(epoch)
            np.testing.assert_array_equal(same, split.labels if not shuffle else np.arange(10))


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"num_epochs": 0}, {"seed": -1}])
def test_impossible_batches_are_refused_at_once(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        tiny_split(10).batches(**{"batch_size": 4} | wrong)


def named(names: list[str]) -> Dataset:
    """Return a data set with so many classes, each label the class of its image."""
    images, _ = pair(120)
    labels = (np.arange(120) % len(names)).astype(np.uint8)
    return Dataset.from_arrays("mine", (images, labels), (images, labels), class_names=names)


def test_the_classes_of_a_network_are_found_by_their_names() -> None:
    mine = named(["7", "3"])
    numbered = mine.numbered_as(tuple("0123456789"))
    assert numbered.class_names == tuple("0123456789")
    for before, after in zip(mine.splits.values(), numbered.splits.values(), strict=True):
        np.testing.assert_array_equal(after.labels, np.array([7, 3])[before.labels])
        np.testing.assert_array_equal(after.images, before.images)
    assert mine.numbered_as(("7", "3")) is mine


def test_classes_that_are_only_numbers_are_the_networks_numbers() -> None:
    letters = tuple("ABCDEFGHIJKL")
    numbered = tiny().numbered_as(letters)
    assert numbered.class_names == letters
    np.testing.assert_array_equal(numbered.test.labels, tiny().test.labels)
    with pytest.raises(DataError, match="tiny has 10 classes, the network 9"):
        tiny().numbered_as(tuple("ABCDEFGHI"))


def test_a_class_that_the_network_does_not_have_is_named() -> None:
    with pytest.raises(DataError, match="mine has a class 'dog' that the network was not trained"):
        named(["3", "dog"]).numbered_as(tuple("0123456789"))
