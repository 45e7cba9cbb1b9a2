"""How accurate a recipe is: several seeds, each at its last step; their ensemble; calibration.

    python benchmarks/accuracy.py --recipe accurate > benchmarks/results/accurate.json
    python benchmarks/accuracy.py --recipe best > benchmarks/results/best.json

Runs live in `runs/accuracy/RECIPE/`: stopped, the same command goes on. The temperature of each
run is fitted on the validation images. The last line of standard output is one JSON object, as
`cnn-mnist trials --json` prints it, with `ensemble` (the accuracy of the mean of the runs'
calibrated probabilities) and, one for each run, `temperatures`, `calibration_errors` (on the test
images, calibrated), `validation_accuracies` and `validation_losses` (as they are).
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from cnn_mnist import Classifier, load, run_trials
from cnn_mnist.calibration import fit_temperature
from cnn_mnist.evaluate import figures
from cnn_mnist.recipe import RECIPES, named


def main() -> None:
    """Train, score, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", choices=list(RECIPES), required=True)
    parser.add_argument("--n", type=int, default=3, help="seeds")
    parser.add_argument("--run-dir", type=Path, default=Path("runs/accuracy"))
    arguments = parser.parse_args()
    dataset, recipe = load("mnist"), named(arguments.recipe)
    directory = arguments.run_dir / recipe.name
    result = run_trials(directory, recipe, dataset, n=arguments.n)
    temperatures, errors, shares = [], [], []
    validated: list[dict[str, Any]] = []
    for seed in result["seeds"]:
        run = Classifier(directory / f"seed-{seed}")
        validation = run.logits(dataset, split="validation")
        temperatures.append(fit_temperature(validation, dataset.validation.labels))
        validated.append(figures(validation, dataset.validation.labels))
        logits = run.logits(dataset) / np.float32(temperatures[-1])
        errors.append(figures(logits, dataset.test.labels)["expected_calibration_error"])
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares.append(weights / weights.sum(axis=1, keepdims=True))
    ensemble = np.mean(shares, axis=0).argmax(axis=1)
    result |= {
        "ensemble": float((ensemble == dataset.test.labels).mean()),
        "temperatures": temperatures,
        "calibration_errors": errors,
        "validation_accuracies": [found["accuracy"] for found in validated],
        "validation_losses": [found["loss"] for found in validated],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
