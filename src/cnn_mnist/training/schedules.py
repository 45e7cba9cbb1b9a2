"""Compute the learning rate of each step.

A schedule is a function `(recipe, step) -> float`: the factor on the recipe's learning rate in the
update that brings the run from `step` to `step + 1`.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

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


def learning_rate_at(recipe: Recipe, step: int) -> float:
    """Return the learning rate of the update that brings a run from `step` to `step + 1`.

    Raises:
        RecipeError: no schedule has the recipe's name.
    """
    return recipe.learning_rate * SCHEDULES.get(recipe.schedule)(recipe, step)
