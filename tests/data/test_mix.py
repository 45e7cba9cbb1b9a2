"""Mixing known images into a few of the user's own."""

from dataclasses import replace

import numpy as np
import pytest

from cnn_mnist.data import mix as mixing
from cnn_mnist.data.dataset import Dataset, Split
from cnn_mnist.data.mix import mix, with_replay
from cnn_mnist.errors import DataError

OWN, KNOWN = 200, 50  # grey levels that tell the images apart


def _split(count: int, grey: int, classes: int = 10) -> Split:
    labels = (np.arange(count) % classes).astype(np.uint8)
    return Split(np.full((count, 28, 28), grey, np.uint8), labels)


def _own(classes: int = 10) -> Dataset:
    validation = Split(np.full((10, 28, 28), OWN + 1, np.uint8), _split(10, 0, classes).labels)
    return Dataset("mine", _split(40, OWN, classes), validation, _split(20, OWN + 2, classes))


def _known() -> Dataset:
    return Dataset("known", _split(300, KNOWN), _split(30, KNOWN), _split(20, KNOWN))


@pytest.mark.parametrize("replay", [0.25, 0.5, 0.75, 0.9])
def test_known_images_are_the_share_that_the_recipe_says(replay: float) -> None:
    grey = mix(_own(), _known(), replay).train.images[:, 0, 0]
    assert (grey == KNOWN).mean() == pytest.approx(replay, abs=0.01)


def test_every_own_image_but_the_test_images_is_trained_on_equally_often() -> None:
    mixed = mix(_own(), _known(), 0.5)
    grey = mixed.train.images[:, 0, 0]
    assert (grey == OWN).sum() == 4 * (grey == OWN + 1).sum() == 240
    assert (mixed.test.images == OWN + 2).all()
    assert (mixed.validation.images == KNOWN).all()


def test_images_keep_their_labels() -> None:
    own = _own()
    own = replace(
        own,
        train=Split(np.repeat(own.train.labels, 784).reshape(-1, 28, 28) + 100, own.train.labels),
    )
    mixed = mix(own, _known(), 0.5).train
    mine = (mixed.images[:, 0, 0] >= 100) & (mixed.images[:, 0, 0] < 110)
    assert mine.sum() == 240
    assert (mixed.images[mine, 0, 0] - 100 == mixed.labels[mine]).all()


def test_the_same_mix_has_the_same_hash_and_another_share_another() -> None:
    first, again, other = (mix(_own(), _known(), share).sha256 for share in (0.5, 0.5, 0.6))
    assert first == again != other


def test_of_many_known_images_some_of_every_class_are_mixed_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mixing, "KNOWN_IMAGES", 100)
    mixed = mix(_own(), _known(), 0.5).train
    known = mixed.images[:, 0, 0] == KNOWN
    assert known.sum() == 100
    assert (np.bincount(mixed.labels[known]) == 10).all()


def test_own_classes_are_found_by_their_names() -> None:
    own = replace(_own(2), class_names=("3", "7"))
    mixed = mix(own, _known(), 0.5)
    assert mixed.classes == 10
    assert set(mixed.test.labels.tolist()) == {3, 7}


def test_a_class_that_is_not_known_is_refused() -> None:
    own = replace(_own(2), class_names=("3", "cat"))
    with pytest.raises(DataError, match="'cat'"):
        mix(own, _known(), 0.5)


def test_the_known_data_is_not_mixed_into_itself() -> None:
    with pytest.raises(DataError, match="name your pictures with --data"):
        mix(_known(), _known(), 0.5)


def test_without_replay_the_own_images_stay_as_they_are() -> None:
    own = _own()
    assert with_replay(own, 0.0, None) is own
