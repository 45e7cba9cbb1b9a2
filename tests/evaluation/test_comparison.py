"""Comparisons against published values, values by hand, and simulation."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from cnn_mnist.evaluation.comparison import compare_networks, compare_trials, seeds_needed

Right = npt.NDArray[np.bool_]


def pairs(both: int, only_a: int, only_b: int, neither: int) -> tuple[Right, Right]:
    """Return what two networks got right, from the four counts of a paired table."""
    counts = (both, only_a, only_b, neither)
    a, b = (np.repeat(row, counts) for row in ([True, True, False, False], [True, False] * 2))
    return a, b


def test_mcnemars_mid_p_and_the_interval_are_the_published_ones() -> None:
    """Airway hyper-responsiveness before and after (Bentur et al.), as in Fagerland et al. 2013.

    Their mid-p is 0.039 (the exact p-value 0.070), and the adjusted Wald interval of Bonett and
    Price -0.508 to -0.013, with the sign of before minus after.
    """
    result = compare_networks(*pairs(1, 1, 7, 12))
    assert result["p"] == pytest.approx(0.039, abs=0.0005)
    assert result["interval"] == pytest.approx([0.013, 0.508], abs=0.0005)
    assert (result["only_a"], result["only_b"], result["n"]) == (1, 7, 21)
    assert result["difference"] == 6 / 21
    assert result["settled"]


def test_the_published_example_of_approval_of_a_prime_minister() -> None:
    """Agresti, "Categorical Data Analysis": 794, 150, 86, 570; difference -0.04, -0.06 to -0.02."""
    result = compare_networks(*pairs(794, 150, 86, 570))
    assert result["difference"] == pytest.approx(-0.04)
    assert result["interval"] == pytest.approx([-0.0587, -0.0213], abs=0.0003)
    z = (86 - 150) / math.sqrt(86 + 150)  # McNemar's statistic, -4.17
    assert result["p"] == pytest.approx(2 * stats.norm.cdf(z), rel=0.1)


@pytest.mark.parametrize(("only_a", "only_b", "p"), [(0, 1, 0.5), (2, 2, 1.0), (3, 0, 0.125)])
def test_mid_p_is_half_the_observed_and_all_that_is_rarer(
    only_a: int, only_b: int, p: float
) -> None:
    """By hand: of n coins, twice P(fewer) and once P(as many)."""
    assert compare_networks(*pairs(5, only_a, only_b, 0))["p"] == pytest.approx(p)


def test_b_and_a_exchanged_change_the_sign_only() -> None:
    a, b = pairs(30, 4, 11, 5)
    one, other = compare_networks(a, b), compare_networks(b, a)
    assert other["difference"] == -one["difference"]
    assert other["interval"] == pytest.approx([-end for end in reversed(one["interval"])])
    assert other["p"] == one["p"]


@pytest.mark.parametrize("counts", [(10, 0, 0, 0), (0, 0, 0, 1), (1, 0, 0, 0)])
def test_equal_networks_differ_by_nothing_that_is_known(counts: tuple[int, int, int, int]) -> None:
    result = compare_networks(*pairs(*counts))
    assert (result["difference"], result["p"], result["settled"]) == (0, 1, False)
    low, high = result["interval"]
    assert -1 <= low < 0 < high <= 1


def test_the_interval_covers_the_true_difference_of_networks() -> None:
    random = np.random.default_rng(0)
    covered = []
    for _ in range(2000):
        kind = random.choice(4, 1000, p=[0.97, 0.008, 0.015, 0.007])
        low, high = compare_networks(kind < 2, kind % 2 == 0)["interval"]
        covered.append(low <= 0.007 <= high)
    assert 0.93 < np.mean(covered) < 0.98


def test_trials_are_compared_as_scipy_does_it() -> None:
    a, b = [0.991, 0.992, 0.9905, 0.9915], [0.993, 0.994, 0.9955]
    result = compare_trials(a, b)
    welch = stats.ttest_ind(b, a, equal_var=False)
    assert result["p"] == welch.pvalue
    assert result["interval"] == list(welch.confidence_interval(0.95))
    assert result["difference"] == pytest.approx(np.mean(b) - np.mean(a))
    assert result["settled"] == (welch.pvalue < 0.05)


def test_welchs_interval_and_p_are_those_by_hand() -> None:
    """Means 2 and 5, variances 1 and 4, n = 3 and 3: t = 3 / sqrt(5 / 3) with 50 / 17 degrees."""
    result = compare_trials([1, 2, 3], [3, 5, 7])
    error, freedom = math.sqrt(5 / 3), 50 / 17
    assert result["p"] == pytest.approx(2 * stats.t.sf(3 / error, freedom))
    half = stats.t.isf(0.025, freedom) * error
    assert result["interval"] == pytest.approx([3 - half, 3 + half])


@pytest.mark.parametrize(
    ("a", "b"), [([0.9], [0.8]), ([0.9], [0.8, 0.7]), ([0.99] * 3, [0.98] * 3), ([0.1], [0.1])]
)
def test_what_is_not_known_is_not_said(a: list[float], b: list[float]) -> None:
    result = compare_trials(a, b)
    assert result["difference"] == pytest.approx(np.mean(b) - np.mean(a))
    assert result["interval"] is result["p"] is result["seeds_needed"] is None
    assert not result["settled"]


def test_one_recipe_whose_seeds_are_all_alike_can_be_compared() -> None:
    result = compare_trials([0.99] * 4, [0.97, 0.98, 0.975])
    assert result["p"] == pytest.approx(stats.ttest_1samp([0.97, 0.98, 0.975], 0.99).pvalue)


def test_the_record_needs_seventeen_seeds_an_arm() -> None:
    assert seeds_needed(0.0275, 0.028, 0.028) == 17


def test_the_seeds_that_are_needed_are_those_of_the_published_table() -> None:
    """Cohen 1988, table 2.4.1, two-sided 5 %, power 80 %: d = 0.2, 0.5, 0.8, 1, 1.4."""
    assert [seeds_needed(d, 1, 1) for d in (0.2, 0.5, 0.8, 1.0)] == [393, 64, 26, 17]


def test_so_many_seeds_settle_the_difference_in_four_cases_of_five() -> None:
    random = np.random.default_rng(0)
    n = seeds_needed(1, 0.5, 1.2)
    assert n is not None
    a, b = random.normal(0, 0.5, (4000, n)), random.normal(1, 1.2, (4000, n))
    settled = stats.ttest_ind(a, b, axis=1, equal_var=False).pvalue < 0.05
    assert settled.mean() == pytest.approx(0.8, abs=0.03)


def test_a_difference_of_nothing_is_settled_by_no_number_of_seeds() -> None:
    assert seeds_needed(0, 1, 1) is None
    assert seeds_needed(1e-9, 1, 1) is None


@pytest.mark.parametrize("sd", [(1e-9, 1e-9), (1e-12, 0), (0, 1e-3)])
def test_a_difference_beyond_all_deviation_needs_two(sd: tuple[float, float]) -> None:
    assert seeds_needed(1, *sd) == 2


def test_more_seeds_are_needed_than_have_not_settled_it() -> None:
    a, b = [0.0, 1.0], [3.0, 4.2]
    result = compare_trials(a, b)
    assert not result["settled"]
    assert result["seeds_needed"] > 2
