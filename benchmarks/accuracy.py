"""Measure how accurate a recipe is: several seeds, their ensemble, and their calibration.

    python benchmarks/accuracy.py --recipe accurate > benchmarks/results/accurate.json
    python benchmarks/accuracy.py --recipe best > benchmarks/results/best.json

Every seed is scored at its last step. Runs are kept in `runs/accuracy/RECIPE/`, so that the same
command continues after an interruption. The temperature of each run is fitted on the validation
images. The last line of standard output is one JSON object, as `cnn-mnist trials --json` prints it,
with `ensemble` (the accuracy of the mean of the runs' calibrated probabilities) and, one for each
run, `temperatures`, `calibration_errors` (calibrated, on the test images), `validation_accuracies`
and `validation_losses` (not calibrated).
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from cnn_mnist import Classifier, load, run_trials
from cnn_mnist.evaluation.calibration import fit_temperature
from cnn_mnist.evaluation.metrics import metrics
from cnn_mnist.evaluation.softmax import softmax
from cnn_mnist.recipe import RECIPES, named


def main() -> None:
    """Train, score, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", choices=list(RECIPES), required=True)
    parser.add_argument("--n", type=int, default=3, help="number of seeds")
    parser.add_argument("--run-dir", type=Path, default=Path("runs/accuracy"))
    arguments = parser.parse_args()
    dataset, recipe = load("mnist"), named(arguments.recipe)
    directory = arguments.run_dir / recipe.name
    result = run_trials(directory, recipe, dataset, n=arguments.n)
    temperatures, errors, probabilities = [], [], []
    validated: list[dict[str, Any]] = []
    for seed in result["seeds"]:
        run = Classifier(directory / f"seed-{seed}")
        validation = run.logits(dataset, split="validation")
        temperatures.append(fit_temperature(validation, dataset.validation.labels))
        validated.append(metrics(validation, dataset.validation.labels))
        logits = run.logits(dataset) / np.float32(temperatures[-1])
        errors.append(metrics(logits, dataset.test.labels)["expected_calibration_error"])
        probabilities.append(softmax(logits))
    ensemble = np.mean(probabilities, axis=0).argmax(axis=1)
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
