"""Trials: the same recipe from many seeds, so that a figure has a mean, a deviation and an n.

Each seed has its own run directory, so trials that were stopped go on where they were, and more
seeds can be added to those already there.
"""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cnn_mnist.classifier import Classifier
from cnn_mnist.data.dataset import Dataset
from cnn_mnist.hooks import Hook
from cnn_mnist.machine import machine, versions
from cnn_mnist.recipe import Recipe


def run_trials(
    directory: Path,
    recipe: Recipe,
    dataset: Dataset,
    *,
    n: int,
    first_seed: int = 0,
    device: str = "auto",
    hooks: Callable[[int], Sequence[Hook]] = lambda seed: (),
) -> dict[str, Any]:
    """Train and score `n` runs, from the seeds `first_seed`, `first_seed + 1`, ...

    Args:
        directory: holds a run directory `seed-S` for each seed.
        recipe: the same for all.
        dataset: trained on its `train` split, scored once on its `test` split.
        n: how many, at least 1.
        first_seed: the first seed.
        device: see `Classifier`.
        hooks: the hooks of a seed's run.

    Returns:
        Plain JSON values: `mean`, `sd` (of the sample; 0 for one run) and `n` of the accuracies at
        the last step; `accuracies`, `losses`, `mean_loss`, `train_seconds` and `seeds`, one for
        each run; `recipe`, `dataset`, `versions`, `machine`.

    Raises:
        CnnMnistError: see `cnn_mnist.train.train`.
    """
    seeds = range(first_seed, first_seed + n)
    results = []
    for seed in seeds:
        run = Classifier(directory / f"seed-{seed}", recipe, seed=seed, device=device)
        run.train(dataset, hooks=hooks(seed))
        results.append(run.evaluate(dataset))
    accuracies = [result["accuracy"] for result in results]
    losses = [result["loss"] for result in results]
    return {
        "mean": statistics.mean(accuracies),
        "sd": statistics.stdev(accuracies) if n > 1 else 0.0,
        "n": n,
        "accuracies": accuracies,
        "mean_loss": statistics.mean(losses),
        "losses": losses,
        "train_seconds": [result["train_seconds"] for result in results],
        "seeds": list(seeds),
        "recipe": recipe.to_dict(),
        "dataset": dataset.name,
        "dataset_sha256": dataset.sha256,
        "versions": versions(),
        "machine": machine(),
    }
