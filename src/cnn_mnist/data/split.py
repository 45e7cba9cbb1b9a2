"""Choose the validation images: at random from a seed, and from every class."""

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


def stratified(labels: npt.NDArray[np.uint8], share: int, seed: int = 0) -> tuple[Indices, Indices]:
    """Take one in `share` images of every class, at random; the same ones for the same arguments.

    A class of `n` images gives `n / share` of them, rounded so that all classes together give one
    in `share`; but at least one where it has two or more, and none where it has one.

    Args:
        labels: `(N,)`, the class of each image.
        share: at least 2.
        seed: decides which images are taken.

    Returns:
        The indices of the images kept and of those taken, both in ascending order.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    counts = np.bincount(labels)
    quotas = _quotas(counts, share)
    taken = np.zeros(len(labels), bool)
    for label in np.flatnonzero(quotas):
        of_class = order[labels[order] == label]
        taken[of_class[: quotas[label]]] = True
    return np.flatnonzero(~taken), np.flatnonzero(taken)


def _quotas(counts: Indices, share: int) -> Indices:
    """Return how many images each class gives: the largest remainders are rounded up."""
    quotas = counts // share
    left = counts.sum() // share - quotas.sum()
    # stable: of equal remainders the lower class is first
    quotas[np.argsort(-(counts % share), kind="stable")[:left]] += 1
    return np.minimum(np.maximum(quotas, 1), np.maximum(counts - 1, 0))
