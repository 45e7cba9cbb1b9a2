"""Learning-rate schedules."""

from typing import Any

import pytest

from cnn_mnist.recipe import Recipe, named
from cnn_mnist.training.schedules import learning_rate_at


def recipe(**changes: Any) -> Recipe:
    return Recipe(**{"name": "mine", "learning_rate": 0.1, "steps": 100} | changes)


def test_the_tutorials_learning_rate_is_constant() -> None:
    assert {learning_rate_at(named("tutorial"), step) for step in range(20_000)} == {0.001}


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 2000])
@pytest.mark.parametrize("warmup", [0.0, 0.2, 0.99])
def test_every_update_of_one_cycle_has_a_rate_above_0_and_up_to_the_highest(
    steps: int, warmup: float
) -> None:
    one_cycle = recipe(steps=steps, warmup=warmup)
    rates = [learning_rate_at(one_cycle, step) for step in range(steps)]
    assert all(0 < rate <= 0.1 * (1 + 1e-9) for rate in rates)


def test_one_cycle_goes_up_for_the_warmup_and_down_for_the_rest() -> None:
    rates = [learning_rate_at(recipe(warmup=0.2), step) for step in range(100)]
    peak = rates.index(max(rates))
    assert peak == pytest.approx(20, abs=1)
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert max(rates) == pytest.approx(0.1, rel=0.05)
    assert rates[-1] < 0.005


def test_the_schedule_fits_itself_to_the_steps() -> None:
    short, long = recipe(steps=100), recipe(steps=1000)
    assert learning_rate_at(short, 50) == pytest.approx(learning_rate_at(long, 500), rel=0.02)
