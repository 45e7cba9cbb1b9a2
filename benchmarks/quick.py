"""Measure the time to the tutorial's accuracy with the tutorial's network: seconds, not an hour.

    CNN_MNIST_DATA=... python benchmarks/quick.py > benchmarks/results/quick.json

The recipe `standard` with few steps, and with a batch size, a learning rate and Adam betas for them
(chosen on the validation images), from ten seeds, each scored once at its last step on the test
images. In turn with them 50 steps of the recipe `tutorial`: their median times 20,000 is what the
tutorial takes with this package. The tutorial's own program took 130 to 135 ms a step with
TensorFlow 2.15 on a machine of this class. The last line of standard output is one JSON object.
"""

import statistics
import time

import torch
from record import print_result
from timing import summary

from cnn_mnist import load
from cnn_mnist.evaluation.metrics import evaluate
from cnn_mnist.recipe import named
from cnn_mnist.training.malloc import tune_malloc
from cnn_mnist.training.trainer import Trainer

CHANGES = {
    "steps": 80,
    "batch_size": 64,
    "learning_rate": 0.006,
    "beta1": 0.7,
    "beta2": 0.9,
    "precision": "bfloat16",
}
SEEDS = 10
ORIGINAL_STEP_S = 0.130
"""A step of the tutorial's own program."""


def main() -> None:
    """Measure and print."""
    tune_malloc()
    dataset, recipe, tutorial = load("mnist"), named("standard", **CHANGES), named("tutorial")
    tutorial_trainer = Trainer(tutorial, dataset.train, dataset.classes, seed=0, device="cpu")
    seconds, accuracies, tutorial_steps = [], [], []
    for seed in range(SEEDS):
        trainer = Trainer(recipe, dataset.train, dataset.classes, seed=seed, device="cpu")
        began = time.perf_counter()
        while trainer.step < recipe.steps:
            trainer.advance()
        seconds.append(time.perf_counter() - began)
        accuracies.append(evaluate(trainer.classify, dataset.test)["accuracy"])
        for _ in range(50):
            began = time.perf_counter()
            tutorial_trainer.advance()
            tutorial_steps.append(time.perf_counter() - began)
    median = statistics.median(seconds)
    tutorial_s = statistics.median(tutorial_steps) * tutorial.steps
    result = {
        "recipe": recipe.to_dict(),
        "mean": statistics.mean(accuracies),
        "sd": statistics.stdev(accuracies),
        "n": SEEDS,
        "accuracies": accuracies,
        **summary(seconds),
        "tutorial_s": tutorial_s,
        "tutorial_own_program_s": ORIGINAL_STEP_S * tutorial.steps,
        "times_as_fast": tutorial_s / median,
        "times_as_fast_as_its_own_program": ORIGINAL_STEP_S * tutorial.steps / median,
        "threads": torch.get_num_threads(),
    }
    print_result(result)


if __name__ == "__main__":
    main()
