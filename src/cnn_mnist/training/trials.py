"""Train the same recipe from many seeds, so that a figure has a mean, a deviation and an n.

Each seed has its own run directory, so that stopped trials go on where they were, and more seeds
can be added to those already there. On the CPU several seeds are trained at a time
(benchmarks/trials.py compares that with one after the other).
"""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cnn_mnist.data.dataset import Dataset
from cnn_mnist.errors import RecipeError, RunError
from cnn_mnist.evaluation.metrics import evaluate
from cnn_mnist.machine import machine, versions
from cnn_mnist.recipe import Recipe
from cnn_mnist.runs.identity import read_identity
from cnn_mnist.runs.run import Run
from cnn_mnist.training.loop import train
from cnn_mnist.training.parts import require_known_parts
from cnn_mnist.training.trial_processes import Result, Trial, process_count, results_of


def run_trials(
    directory: Path,
    recipe: Recipe,
    dataset: Dataset,
    *,
    n: int,
    first_seed: int = 0,
    device: str = "auto",
    processes: int | None = 1,
    on_run: Callable[[int, Result], None] = lambda seed, result: None,
) -> dict[str, Any]:
    """Train and score `n` runs, from the seeds `first_seed`, `first_seed + 1`, ...

    Args:
        directory: holds a run directory `seed-S` for each seed.
        recipe: the same for all.
        dataset: trained on its `train` split, scored once on its `test` split.
        n: how many, at least 1.
        first_seed: the first seed.
        device: see `Trainer`.
        processes: how many are trained at a time, each by a process with its share of the cores;
            1 trains in this process; None takes one for each core, or 1 on a GPU.
        on_run: called with the seed, and the test metrics and `train_seconds` of each run.

    Returns:
        Plain JSON values: `mean`, `sd` (of the sample; 0 for one run) and `n` of the accuracies at
        the last step; `accuracies`, `losses`, `train_seconds` and `seeds` of the runs; `mean_loss`,
        `processes`, `recipe`, `dataset`, `versions`, `machine`.

    Raises:
        RunError: a run is there already, to another last step.
        CnnMnistError: see `cnn_mnist.training.loop.train`; the other runs have written checkpoints.
    """
    require_known_parts(recipe)
    seeds = range(first_seed, first_seed + n)
    trials = [Trial(path=directory / seed_name(seed), recipe=recipe, seed=seed) for seed in seeds]
    results: dict[int, Result] = {}
    train_and_score = TrainAndScore(dataset, device, ("test",))
    for trial, result in results_of(trials, train_and_score, device=device, processes=processes):
        results[trial.seed] = result
        on_run(trial.seed, with_seconds(result, "test"))
    ordered = [results[seed] for seed in seeds]
    return {
        **statistics_of(ordered, "test"),
        "train_seconds": [result["train_seconds"] for result in ordered],
        "seeds": list(seeds),
        "processes": process_count(processes, device, n),
        "recipe": recipe.to_dict(),
        **provenance(dataset),
    }


def seed_name(seed: int) -> str:
    """Return the name of a seed's run directory."""
    return f"seed-{seed}"


class TrainAndScore:
    """Train a run to its last step, and score it on splits.

    Args:
        dataset: trained on its `train` split.
        device: see `Trainer`.
        splits: names of those that are scored.
    """

    def __init__(self, dataset: Dataset, device: str, splits: Sequence[str]) -> None:
        self.dataset = dataset
        self.device = device
        self.splits = splits

    def __call__(self, trial: Trial) -> Result:
        """Return the metrics of each split under its name, and `train_seconds`.

        Raises:
            RecipeError: the recipe mixes known images in.
            RunError: the run is there already, to another last step.
            CnnMnistError: see `cnn_mnist.training.loop.train`.
        """
        if trial.recipe.replay:
            raise RecipeError(
                f"the recipe {trial.recipe.name} fine-tunes (replay={trial.recipe.replay}), which "
                "trials cannot do: train one run for each seed with cnn-mnist train"
            )
        run, recipe = Run(trial.path), trial.recipe
        before = read_identity(run)
        if before and before.recipe.steps != recipe.steps and not before.recipe.differences(recipe):
            raise RunError(
                f"{run.path} is a run to step {before.recipe.steps}, and these trials are to step "
                f"{recipe.steps}: choose another run directory"
            )
        trainer = train(run, recipe, self.dataset, seed=trial.seed, device=self.device)
        scores = {
            name: evaluate(trainer.classify, self.dataset.splits[name]) for name in self.splits
        }
        return scores | {"train_seconds": trainer.train_seconds}


def with_seconds(result: Result, split: str) -> dict[str, Any]:
    """Return the metrics of one run on a split, and its `train_seconds`."""
    return {**result[split], "train_seconds": result["train_seconds"]}


def statistics_of(results: Sequence[Result], split: str) -> dict[str, Any]:
    """Return mean, deviation and the single values of several runs on a split; see `run_trials`."""
    accuracies = [result[split]["accuracy"] for result in results]
    losses = [result[split]["loss"] for result in results]
    return {
        "mean": statistics.mean(accuracies),
        "sd": statistics.stdev(accuracies) if len(results) > 1 else 0.0,
        "n": len(results),
        "accuracies": accuracies,
        "mean_loss": statistics.mean(losses),
        "losses": losses,
    }


def provenance(dataset: Dataset) -> dict[str, Any]:
    """Return what results were measured with, beside the recipe."""
    return {
        "dataset": dataset.name,
        "dataset_sha256": dataset.sha256,
        "versions": versions(),
        "machine": machine(),
    }
