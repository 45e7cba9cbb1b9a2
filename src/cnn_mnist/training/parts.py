"""Look up the parts that a recipe names: network, optimizer, schedule, augmentation."""

from typing import Any

from cnn_mnist.networks import NETWORKS
from cnn_mnist.recipe import Recipe
from cnn_mnist.registry import Registry
from cnn_mnist.training.augmentation import AUGMENTATIONS
from cnn_mnist.training.optimizers import OPTIMIZERS
from cnn_mnist.training.schedules import SCHEDULES


def parts_of(recipe: Recipe) -> list[tuple[Registry[Any], str]]:
    """Return each name in a recipe with the registry that knows it."""
    return [
        (NETWORKS, recipe.network),
        (OPTIMIZERS, recipe.optimizer),
        (SCHEDULES, recipe.schedule),
        (AUGMENTATIONS, recipe.augmentation),
    ]


def require_known_parts(recipe: Recipe) -> None:
    """Raise `RecipeError` for an unknown name, before anything is written."""
    for registry, name in parts_of(recipe):
        registry.get(name)


def import_own_parts(recipe: Recipe) -> None:
    """Import the user's own parts of a recipe, in a process started for a person who named them."""
    for registry, name in parts_of(recipe):
        if ":" in name:
            registry.resolve(name)


def in_main(recipe: Recipe) -> bool:
    """Return whether a part of a recipe is defined in the script that has been started."""
    return any(registry.get(name).__module__ == "__main__" for registry, name in parts_of(recipe))
