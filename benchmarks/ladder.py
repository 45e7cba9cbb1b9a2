"""Measure what each change on the way to the best recipe gains, on the validation images alone.

    python benchmarks/ladder.py > benchmarks/results/ladder.json

Each step of the ladder makes one change to the one before it, with the learning rate and dropout
that suit the change, and is trained for the same number of steps from the same seeds. The first is
the recipe `standard` in bfloat16, the fifth is `accurate` and the last is `best`, but for their
lengths. With augmentation, batch-norm statistics are recomputed at the end (precise BN). `gain` is
the mean over the seeds of what a change adds to the accuracy, `gain_sd` its standard deviation.
Runs are kept in `runs/ladder/`, so that the same command continues after an interruption. The test
set is not used. Standard output is one JSON object.
"""

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

from record import print_result

from cnn_mnist import Classifier, load
from cnn_mnist.recipe import named

STEPS = 1_650  # three epochs
START = {"steps": STEPS, "precision": "bfloat16"}
CHANGES: dict[str, dict[str, Any]] = {
    "the reference network": {},
    "+ batch normalisation": {"network": "cnn-bn", "learning_rate": 0.003},
    "+ moved, turned, stretched": {"augmentation": "affine"},
    "+ bent": {"augmentation": "elastic"},
    "+ smoothed labels": {"label_smoothing": 0.1},
    "nine convolutions instead, no dropout": {
        "network": "deep",
        "learning_rate": 0.006,
        "dropout": 0.0,
    },
}
"""Each step of the ladder: its name, and the recipe fields that it changes."""


def summary(scores: list[dict[str, Any]]) -> dict[str, Any]:
    """Return mean and standard deviation of the scores of several seeds."""
    accuracies = [score["accuracy"] for score in scores]
    losses = [score["loss"] for score in scores]
    return {
        "mean": statistics.mean(accuracies),
        "sd": statistics.stdev(accuracies),
        "mean_loss": statistics.mean(losses),
        "sd_loss": statistics.stdev(losses),
        "n": len(scores),
        "accuracies": accuracies,
        "losses": losses,
        "train_seconds": [score["train_seconds"] for score in scores],
    }


def gain(before: list[float], after: list[float]) -> dict[str, float]:
    """Return what a change adds to the accuracy, compared seed by seed."""
    gains = [more - less for less, more in zip(before, after, strict=True)]
    return {"gain": statistics.mean(gains), "gain_sd": statistics.stdev(gains)}


def main() -> None:
    """Train every step of the ladder from every seed, and print the validation scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=3, help="seeds for each step of the ladder")
    parser.add_argument("--run-dir", type=Path, default=Path("runs/ladder"))
    arguments = parser.parse_args()
    if arguments.n < 2:
        parser.error("one seed has no standard deviation: give --n 2 or more")
    dataset = load("mnist")
    fields: dict[str, Any] = dict(START)
    ladder: list[dict[str, Any]] = []
    for number, (name, change) in enumerate(CHANGES.items()):
        fields |= change
        recipe = named("standard", **fields)
        scores = []
        for seed in range(arguments.n):
            run = Classifier(arguments.run_dir / f"{number}-seed{seed}", recipe, seed=seed)
            scores.append(run.train(dataset).evaluate(dataset, split="validation"))
        step = {"name": name} | summary(scores)
        if ladder:
            step |= gain(ladder[-1]["accuracies"], step["accuracies"])
        ladder.append(step | {"recipe": recipe.to_dict()})
        print(f"{name}: {step['mean']:.3%} +/- {step['sd']:.3%}", file=sys.stderr)
    print_result({"split": "validation", "steps": STEPS, "ladder": ladder})


if __name__ == "__main__":
    main()
