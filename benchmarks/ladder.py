"""The ladder to the best recipe: what each change gains, on the validation images alone.

    python benchmarks/ladder.py > benchmarks/results/ladder.json

Each rung is the one before it with one change, trained for the same number of steps from the same
seeds. Runs live in `runs/ladder/`: stopped, the same command goes on. The test set is not looked
at. The last line of standard output is one JSON object.
"""

import argparse
import json
import statistics
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
    "seven convolutions instead": {
        "network": "deep",
        "learning_rate": 0.006,
        "label_smoothing": 0.0,
    },
    "+ weight decay": {"weight_decay": 0.2},
    "+ images as they are, at the end": {"plain": 0.12},
}


def main() -> None:
    """Train every rung from every seed, and print their validation figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=3, help="seeds for each rung")
    parser.add_argument("--run-dir", type=Path, default=Path("runs/ladder"))
    arguments = parser.parse_args()
    dataset = load("mnist")
    changes: dict[str, Any] = dict(START)
    rungs = []
    for number, (name, change) in enumerate(RUNGS.items()):
        changes |= change
        recipe = named("standard", **changes)
        scores = []
        for seed in range(arguments.n):
            run = Classifier(arguments.run_dir / f"{number}-seed{seed}", recipe, seed=seed)
            scores.append(run.train(dataset).evaluate(dataset, split="validation"))
        accuracies = [score["accuracy"] for score in scores]
        losses = [score["loss"] for score in scores]
        rungs.append(
            {
                "rung": name,
                "mean": statistics.mean(accuracies),
                "sd": statistics.stdev(accuracies),
                "mean_loss": statistics.mean(losses),
                "sd_loss": statistics.stdev(losses),
                "n": arguments.n,
                "accuracies": accuracies,
                "losses": losses,
                "train_seconds": [score["train_seconds"] for score in scores],
                "recipe": recipe.to_dict(),
            }
        )
        print(f"{name}: {rungs[-1]['mean']:.3%} +/- {rungs[-1]['sd']:.3%}", flush=True)
    result = {"split": "validation", "steps": STEPS, "rungs": rungs}
    print(json.dumps(result | {"versions": versions(), "machine": machine()}))


if __name__ == "__main__":
    main()
