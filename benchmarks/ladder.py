"""The ladder to the best recipe: what each change gains, on the validation images alone.

    python benchmarks/ladder.py > benchmarks/results/ladder.json

Each rung is the one before it with one change, and the learning rate and dropout that go with it,
trained for the same number of steps from the same seeds. The first has the `standard` recipe in
bfloat16, the fifth is `accurate` and the last `best`, both but for their lengths. With augmentation
come statistics of the normalisations taken anew at the end (see `Trainer.settle`). `gain` is the
mean over the seeds of what a change adds to the accuracy, `gain_sd` its deviation. Runs live in
`runs/ladder/`: stopped, the same command goes on. The test set is not looked at. Standard output is
one JSON object.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from cnn_mnist import Classifier, load
from cnn_mnist.machine import machine, versions
from cnn_mnist.recipe import named

STEPS = 1_650  # three epochs
START = {"steps": STEPS, "precision": "bfloat16"}
RUNGS: dict[str, dict[str, Any]] = {
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


def of_scores(scores: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of one rung's runs, one for each seed."""
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
    """What a change adds to the accuracy, seed by seed."""
    gains = [more - less for less, more in zip(before, after, strict=True)]
    return {"gain": statistics.mean(gains), "gain_sd": statistics.stdev(gains)}


def main() -> None:
    """Train every rung from every seed, and print their validation figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=3, help="seeds for each rung")
    parser.add_argument("--run-dir", type=Path, default=Path("runs/ladder"))
    arguments = parser.parse_args()
    if arguments.n < 2:
        parser.error("one seed has no deviation: give --n 2 or more")
    dataset = load("mnist")
    changes: dict[str, Any] = dict(START)
    rungs: list[dict[str, Any]] = []
    for number, (name, change) in enumerate(RUNGS.items()):
        changes |= change
        recipe = named("standard", **changes)
        scores = []
        for seed in range(arguments.n):
            run = Classifier(arguments.run_dir / f"{number}-seed{seed}", recipe, seed=seed)
            scores.append(run.train(dataset).evaluate(dataset, split="validation"))
        rung = {"rung": name} | of_scores(scores)
        if rungs:
            rung |= gain(rungs[-1]["accuracies"], rung["accuracies"])
        rungs.append(rung | {"recipe": recipe.to_dict()})
        print(f"{name}: {rung['mean']:.3%} +/- {rung['sd']:.3%}", file=sys.stderr)
    result = {"split": "validation", "steps": STEPS, "rungs": rungs}
    print(json.dumps(result | {"versions": versions(), "machine": machine()}))


if __name__ == "__main__":
    main()
