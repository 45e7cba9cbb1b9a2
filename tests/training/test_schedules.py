"""Learning-rate schedules."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from cnn_mnist.errors import RecipeError
from cnn_mnist.recipe import Recipe, named
from cnn_mnist.training.schedules import SCHEDULES, learning_rate_at


def recipe(**changes: Any) -> Recipe:
    return Recipe(**{"name": "mine", "learning_rate": 0.1, "steps": 100} | changes)


def test_the_tutorials_learning_rate_is_constant() -> None:
    assert {learning_rate_at(named("tutorial"), step) for step in range(20_000)} == {0.001}


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine"])
@pytest.mark.parametrize("steps", [1, 2, 3, 10, 2000])
@pytest.mark.parametrize("warmup", [0.0, 0.2, 0.99])
def test_every_update_has_a_rate_above_0_and_up_to_the_highest(
    schedule: str, steps: int, warmup: float
) -> None:
    moved = recipe(schedule=schedule, steps=steps, warmup=warmup)
    rates = [learning_rate_at(moved, step) for step in range(steps)]
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


def test_cosine_rises_for_the_warmup_and_falls_along_half_a_cosine() -> None:
    rates = [learning_rate_at(recipe(schedule="cosine", warmup=0.2), step) for step in range(100)]
    assert rates[:20] == pytest.approx([0.1 * number / 20 for number in range(1, 21)])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[59] == pytest.approx(0.05, rel=0.03)  # half-way down
    slopes = [before - after for before, after in pairwise(rates[20:])]
    assert slopes[39] > 3 * max(slopes[0], slopes[-1])  # flat at both ends


def test_step_cuts_the_rate_every_so_many_steps() -> None:
    cut = recipe(schedule="step", decay_every=40, decay_factor=0.5)
    rates = [learning_rate_at(cut, step) for step in range(100)]
    assert rates == pytest.approx([0.1] * 40 + [0.05] * 40 + [0.025] * 20)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], Recipe]:
    """Makes a recipe with a schedule of the user's own."""
    monkeypatch.setattr(SCHEDULES, "_parts", dict(SCHEDULES._parts))

    def with_schedule(schedule: Any) -> Recipe:
        SCHEDULES.register("my:schedule")(schedule)
        return recipe(schedule="my:schedule")

    return with_schedule


def test_a_schedule_of_the_users_own_gives_a_factor(own: Callable[[object], Recipe]) -> None:
    assert learning_rate_at(own(lambda recipe, step: step / recipe.steps), 50) == 0.05


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (lambda recipe, step: float("nan"), "my:schedule gave nan at step 7: expected a number"),
        (lambda recipe, step: -1, r"my:schedule gave -1.0 at step 7"),
        (lambda recipe, step: None, "my:schedule failed at step 7: TypeError"),
        (lambda recipe, step: 1 / 0, "my:schedule failed at step 7: ZeroDivisionError: division"),
    ],
)
def test_what_a_users_schedule_gives_is_checked(
    schedule: object, message: str, own: Callable[[object], Recipe]
) -> None:
    with pytest.raises(RecipeError, match=message):
        learning_rate_at(own(schedule), 7)
