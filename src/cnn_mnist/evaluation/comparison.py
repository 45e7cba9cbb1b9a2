"""Compare two networks, or two recipes over several seeds: by how much does B differ from A?

Two networks that have read the same images are compared image by image. That says which of the two
networks is better, not which recipe: other seeds give other networks. Two recipes are compared by
the accuracies of several seeds each, on one set of images.

Two trials are not paired by their seeds, even where those are the same: the seed gives two recipes
the same random numbers only as long as they draw them alike. To take whichever of two intervals is
the narrower would make it narrower than it is.
"""

import warnings
from collections.abc import Sequence
from math import sqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.errors import needs_extra

with needs_extra("train", "comparing"):
    from scipy import optimize, stats

LEVEL: Final = 0.05
"""Two-sided: a difference is settled where p is below it; intervals hold 1 - LEVEL."""
POWER: Final = 0.8
"""How often enough seeds settle a true difference."""
MOST_SEEDS: Final = 100_000
"""Nobody trains more."""


def compare_networks(
    right_a: npt.NDArray[np.bool_], right_b: npt.NDArray[np.bool_]
) -> dict[str, Any]:
    """Compare the accuracies of two networks on the same images.

    Sources: the p-value is McNemar's, mid-p (Fagerland, Lydersen and Laake, "The McNemar test for
    binary matched-pairs data", 2013); the interval is an adjusted Wald interval (Bonett and Price,
    "Adjusted Wald confidence interval for a difference of binomial proportions based on paired
    data", 2012), which also holds for few differences, and none.

    Args:
        right_a: `(N,)`, whether A got each image right; N at least 1.
        right_b: `(N,)`, the same of B.

    Returns:
        Plain JSON values: `difference` (the accuracy of B minus that of A), its 95 % `interval`,
        `p`, `settled`, `n` (images), and how many `only_a` and `only_b` got right.
    """
    n = len(right_a)
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    differing, fewer = only_a + only_b, min(only_a, only_b)
    p = 2 * stats.binom.cdf(fewer - 1, differing, 0.5) + stats.binom.pmf(fewer, differing, 0.5)
    # half an image more on either side, and two more in all, as Bonett and Price add them
    share_a, share_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    middle = share_b - share_a
    half = stats.norm.isf(LEVEL / 2) * sqrt((share_a + share_b - middle**2) / (n + 2))
    interval = [max(-1.0, float(middle - half)), min(1.0, float(middle + half))]
    return {
        "difference": (only_b - only_a) / n,
        "interval": interval,
        "p": float(p),
        "settled": _settled(float(p), interval),
        "n": n,
        "only_a": only_a,
        "only_b": only_b,
    }


def compare_trials(accuracies_a: Sequence[float], accuracies_b: Sequence[float]) -> dict[str, Any]:
    """Compare the mean accuracies of two recipes, each over several seeds.

    Source: Welch, "The generalization of Student's problem when several different population
    variances are involved", 1947.

    Args:
        accuracies_a: of each seed of A, at least one.
        accuracies_b: of each seed of B.

    Returns:
        Plain JSON values: `difference` (the mean of B minus that of A), its 95 % `interval`, `p`,
        `settled`, and `seeds_needed`, see there. Where a recipe has one seed only, or where no
        seed differs from another of its recipe, nothing is known of the deviation: `interval`, `p`
        and `seeds_needed` are null, and nothing is settled.
    """
    a, b = np.asarray(accuracies_a, np.float64), np.asarray(accuracies_b, np.float64)
    result: dict[str, Any] = {
        "difference": float(b.mean() - a.mean()),
        "interval": None,
        "p": None,
        "settled": False,
        "seeds_needed": None,
    }
    # constant values compared as they are: their deviation is not exactly 0 in floating point
    if min(len(a), len(b)) < 2 or (np.ptp(a) == 0 and np.ptp(b) == 0):
        return result
    with warnings.catch_warnings():  # that all seeds of one recipe are alike is no harm
        warnings.filterwarnings("ignore", "Precision loss occurred", RuntimeWarning)
        test = stats.ttest_ind(b, a, equal_var=False)
    interval = [float(end) for end in test.confidence_interval(1 - LEVEL)]
    needed = seeds_needed(result["difference"], float(a.std(ddof=1)), float(b.std(ddof=1)))
    settled = _settled(float(test.pvalue), interval)
    if needed and not settled:
        needed = max(needed, min(len(a), len(b)) + 1)
    result |= {"interval": interval, "p": float(test.pvalue), "settled": settled}
    return result | {"seeds_needed": needed}


def seeds_needed(difference: float, sd_a: float, sd_b: float) -> int | None:
    """Return about how many seeds of each recipe settle a difference in four cases of five.

    The power of Welch's test comes from the noncentral t distribution (Cohen, "Statistical Power
    Analysis for the Behavioral Sciences", 1988).

    Args:
        difference: of the means.
        sd_a: deviation of A's accuracies, in the same unit.
        sd_b: deviation of B's; one of the two is above 0.

    Returns:
        The number for a power of 80 %, rounded to the nearest, at least 2; None where the
        difference is 0, or more than `MOST_SEEDS` are needed.
    """

    def lacking(n: float) -> float:
        return POWER - _power(n, difference, sd_a, sd_b)

    enough = 2
    while lacking(enough) > 0:
        if (enough := 2 * enough) > MOST_SEEDS:
            return None
    return round(optimize.brentq(lacking, enough // 2, enough)) if enough > 2 else enough


def _power(n: float, difference: float, sd_a: float, sd_b: float) -> float:
    """Return how often Welch's test of `n` seeds each settles a true difference."""
    of_a, of_b = sd_a**2, sd_b**2
    freedom = (n - 1) * (of_a + of_b) ** 2 / (of_a**2 + of_b**2)
    limit = stats.t.isf(LEVEL / 2, freedom)
    # far beyond the limit the power is 1 for all that matters, and SciPy's sf may be NaN there
    shift = min(abs(difference) / sqrt((of_a + of_b) / n), 3 * limit)
    return float(stats.nct.sf(limit, freedom, shift))


def _settled(p: float, interval: Sequence[float]) -> bool:
    """Return whether test and interval agree that there is a difference."""
    return p < LEVEL and not interval[0] <= 0 <= interval[1]
