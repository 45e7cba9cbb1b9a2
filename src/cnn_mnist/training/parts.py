"""Look up the parts that a recipe names: network, optimizer, schedule, augmentation."""

from collections.abc import Mapping
from typing import Any, Final

from cnn_mnist.networks import NETWORKS
from cnn_mnist.networks.own import require_trainable
from cnn_mnist.recipe import Recipe
from cnn_mnist.registry import Registry
from cnn_mnist.training.augmentation import AUGMENTATIONS
from cnn_mnist.training.distributed import Group
from cnn_mnist.training.optimizers import OPTIMIZERS, require_usable_optimizer
from cnn_mnist.training.schedules import SCHEDULES

REGISTRIES: Final[Mapping[str, Registry[Any]]] = {
    "network": NETWORKS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "augmentation": AUGMENTATIONS,
}
"""The registry of each recipe field that names a part."""


def parts_of(recipe: Recipe) -> list[tuple[Registry[Any], str]]:
    """Return each name in a recipe with the registry that knows it."""
    return [(registry, getattr(recipe, field)) for field, registry in REGISTRIES.items()]


def require_known_parts(recipe: Recipe, classes: int | None = None) -> None:
    """Raise `RecipeError` for an unknown name or a part that cannot be used as the recipe has it.

    Called before anything is written.

    Args:
        recipe: names the parts.
        classes: of the data set; None where it is not known yet: then a network of the user's own
            is not tried.
    """
    for registry, name in parts_of(recipe):
        registry.get(name)
    require_usable_optimizer(recipe)
    if classes is not None and NETWORKS.is_own(recipe.network):
        workers = Group.of_environment().size
        require_trainable(recipe.network, classes, dropout=recipe.dropout, workers=workers)


def has_own_part(recipe: Recipe) -> bool:
    """Return whether a part of a recipe is the user's own."""
    return any(registry.is_own(name) for registry, name in parts_of(recipe))


def import_own_parts(recipe: Recipe) -> None:
    """Import the user's own parts of a recipe, in a process started for a person who named them."""
    for registry, name in parts_of(recipe):
        if registry.is_own(name):
            registry.resolve(name)


def in_main(recipe: Recipe) -> bool:
    """Return whether a part of a recipe is defined in the script that has been started."""
    return any(registry.get(name).__module__ == "__main__" for registry, name in parts_of(recipe))
