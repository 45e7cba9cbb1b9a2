"""Mix known images into a few of the user's own, so that fine-tuning forgets nothing (replay)."""

from typing import Final

import numpy as np

from cnn_mnist.data.dataset import Dataset, Split
from cnn_mnist.data.load import load
from cnn_mnist.data.split import stratified
from cnn_mnist.errors import DataError

KNOWN_IMAGES: Final = 6_000
"""Known images in a mix, at most: more than a short training sees."""


def mix(own: Dataset, known: Dataset, replay: float) -> Dataset:
    """Return the user's own training images among known ones, the fewer repeated to their share.

    Where own images are few each of them counts: those of the validation split are trained on, too.
    Validation is then on known images and shows what is forgotten; the test split stays the own.

    Args:
        own: the user's own images; its classes are among the known ones.
        known: what the network knows already.
        replay: the share of known images in the training split, in (0, 1); met up to rounding.

    Returns:
        A data set with the classes of `known`; the same for the same arguments.

    Raises:
        DataError: both are the same data set, or the own one has a class that is not known.
    """
    if own.sha256 == known.sha256:
        raise DataError(
            f"the recipe mixes {known.name} into pictures of your own, and there are no others: "
            "name your pictures with --data, or train with another recipe"
        )
    own = own.numbered_as(known.class_names)
    replayed = _some(known.train)
    images = np.concatenate([own.train.images, own.validation.images])
    labels = np.concatenate([own.train.labels, own.validation.labels])
    count = max(len(images), round(len(replayed) * (1 - replay) / replay))
    mine = np.arange(count) % len(images)
    theirs = np.arange(round(count * replay / (1 - replay))) % len(replayed)
    return Dataset(
        f"{own.name}+{known.name}",
        Split(
            np.concatenate([images[mine], replayed.images[theirs]]),
            np.concatenate([labels[mine], replayed.labels[theirs]]),
        ),
        known.validation,
        own.test,
        known.class_names,
        origin=own.origin,
    )


def with_replay(own: Dataset, replay: float, known: Dataset | None) -> Dataset:
    """Return what a recipe with this `replay` trains on: the mix, or where it is 0 the own images.

    Args:
        own: see `mix`.
        replay: see `Recipe.replay`.
        known: see `mix`; None takes MNIST where it is available, else scikit-learn's digits.

    Raises:
        DataError: see `mix` and `load`.
    """
    return mix(own, known or load(), replay) if replay else own


def _some(split: Split) -> Split:
    """Return at most `KNOWN_IMAGES` of the images, from every class; always the same ones."""
    share = -(-len(split) // KNOWN_IMAGES)
    return split.take(stratified(split.labels, share)[1]) if share > 1 else split
