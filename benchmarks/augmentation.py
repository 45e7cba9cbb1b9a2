"""Measure what augmentation costs: training steps with and without it, in turn, A B A B ...

    python benchmarks/augmentation.py > benchmarks/results/augmentation.json

The recipes `accurate` and `best`, each compared with itself without augmentation. The first steps
warm up and are not timed. The last line of standard output is one JSON object: for each recipe the
median times of a step in milliseconds, the share of the step that augmentation takes, and the
minutes that all of its steps would take on this machine, without the validation passes.
"""

import statistics
from typing import Any

from record import print_result
from timing import in_turn

from cnn_mnist import Dataset, load
from cnn_mnist.recipe import Recipe, named
from cnn_mnist.training.malloc import tune_malloc
from cnn_mnist.training.trainer import Trainer

ROUNDS, WARM_UP = 100, 10


def cost(recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """Time steps of a recipe with and without augmentation."""
    recipes = {"with_ms": recipe, "without_ms": named(recipe.name, augmentation="none")}
    trainers = {
        key: Trainer(each, dataset.train, dataset.classes, seed=0, device="cpu")
        for key, each in recipes.items()
    }
    steps = {key: trainer.advance for key, trainer in trainers.items()}
    times = in_turn(steps, rounds=ROUNDS, warm_up=WARM_UP)
    medians = {key: 1000 * statistics.median(values) for key, values in times.items()}
    return {
        **medians,
        "share": 1 - medians["without_ms"] / medians["with_ms"],
        "minutes": medians["with_ms"] * recipe.steps / 60_000,
        "recipe": recipe.to_dict(),
    }


def main() -> None:
    """Measure and print."""
    tune_malloc()
    dataset = load("mnist")
    result = {name: cost(named(name), dataset) for name in ("accurate", "best")}
    print_result({"rounds": ROUNDS, **result})


if __name__ == "__main__":
    main()
