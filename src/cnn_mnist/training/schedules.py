"""Compute the learning rate of each step.

A schedule is a function `(recipe, step) -> float`: the factor on the recipe's learning rate in the
update that brings the run from `step` to `step + 1`. It depends on nothing else, so that a resumed
run has the same rates.
"""

import math
from collections.abc import Callable
from typing import Final, TypeAlias

from cnn_mnist.errors import RecipeError
from cnn_mnist.recipe import Recipe
from cnn_mnist.registry import Registry

Schedule: TypeAlias = Callable[[Recipe, int], float]

SCHEDULES: Final[Registry[Schedule]] = Registry("schedule", __name__)


@SCHEDULES.register("constant")
def constant(recipe: Recipe, step: int) -> float:
    """Keep the learning rate as it is."""
    return 1.0


@SCHEDULES.register("one-cycle")
def one_cycle(recipe: Recipe, step: int) -> float:
    """Rise linearly for the recipe's warm-up, then fall linearly to 0."""
    # +1: the first update moves at all, and the last one has a rate above 0 as well
    up = recipe.warmup * recipe.steps
    down = recipe.steps + 1 - up
    return min((step + 1) / max(up, 1.0), (recipe.steps - step) / down)


@SCHEDULES.register("cosine")
def cosine(recipe: Recipe, step: int) -> float:
    """Rise linearly for the recipe's warm-up, then fall to 0 along half a cosine."""
    up = recipe.warmup * recipe.steps
    if step + 1 <= up:
        return (step + 1) / up
    # + 1: as in `one_cycle`
    return (1 + math.cos(math.pi * (step + 1 - up) / (recipe.steps + 1 - up))) / 2


@SCHEDULES.register("step")
def step_(recipe: Recipe, step: int) -> float:
    """Multiply the learning rate by `decay_factor` every `decay_every` steps."""
    return recipe.decay_factor ** (step // recipe.decay_every)


def learning_rate_at(recipe: Recipe, step: int) -> float:
    """Return the learning rate of the update that brings a run from `step` to `step + 1`.

    Raises:
        RecipeError: no schedule has the recipe's name, or one of the user's own fails or gives
            something else than a finite number from 0.
    """
    schedule = SCHEDULES.get(recipe.schedule)
    if not SCHEDULES.is_own(recipe.schedule):
        return recipe.learning_rate * schedule(recipe, step)
    try:
        factor = float(schedule(recipe, step))
    except Exception as error:  # whatever the user's function raises
        raise RecipeError(
            f"schedule {recipe.schedule} failed at step {step}: {type(error).__name__}: {error}"
        ) from error
    if not 0 <= factor < float("inf"):
        raise RecipeError(
            f"schedule {recipe.schedule} gave {factor} at step {step}: expected a number from 0"
        )
    return recipe.learning_rate * factor
