"""Time to 99 %: the recipe `fast` beside the fastest one published, from the same images.

    CNN_MNIST_DATA=... python benchmarks/fast.py > benchmarks/results/fast_race.json

The published recipe is that of the last notebook of https://github.com/tuomaso/train_mnist_fast:
two convolutions (5x5, 24 channels; 3x3, 32), each pooled and rectified, a dense layer of 256, Adam
with one cycle to 0.01, one epoch in batches of 256. It runs as published, and with its tensors in
channels-last order, on our 55,000 training images (it had 60,000). In turn, A B C A B C ..., one
seed each a round; a time is that of all training steps, without reading the data and building the
network. Every run is scored once, at its last step, on the test images. The last line of standard
output is one JSON object.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import timing
import torch
import torch.nn.functional as F
from torch import nn

from cnn_mnist import Dataset, load
from cnn_mnist.evaluate import evaluate
from cnn_mnist.machine import machine, versions
from cnn_mnist.model import as_tensor, classify
from cnn_mnist.recipe import named
from cnn_mnist.train import Trainer

Run = Callable[[Dataset, int], tuple[float, float]]
"""Trains from a seed: seconds and test accuracy."""

BATCH_SIZE = 256


def ours(dataset: Dataset, seed: int) -> tuple[float, float]:
    """The recipe `fast`."""
    recipe = named("fast")
    trainer = Trainer(recipe, dataset.train, dataset.classes, seed=seed, device="cpu")
    began = time.perf_counter()
    while trainer.step < recipe.steps:
        trainer.advance()
    trainer.settle()
    seconds = time.perf_counter() - began
    return seconds, evaluate(trainer.classify, dataset.test)["accuracy"]


def published(memory_format: torch.memory_format) -> Run:
    """The published recipe, its tensors in an order."""

    def run(dataset: Dataset, seed: int) -> tuple[float, float]:
        torch.manual_seed(seed)
        images = as_tensor(dataset.train.images)[:, None].float() / 255
        labels = as_tensor(dataset.train.labels).long()
        model = nn.Sequential(
            *(nn.Conv2d(1, 24, 5), nn.MaxPool2d(2), nn.ReLU()),
            *(nn.Conv2d(24, 32, 3), nn.MaxPool2d(2), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(32 * 5 * 5, 256), nn.ReLU(), nn.Linear(256, 10)),
        ).to(memory_format=memory_format)
        steps = -(-len(images) // BATCH_SIZE)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.7, 0.9))
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=steps)
        began = time.perf_counter()
        for batch in torch.randperm(len(images)).split(BATCH_SIZE):
            loss = F.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        seconds = time.perf_counter() - began
        score = evaluate(lambda pixels: classify(model, pixels), dataset.test)
        return seconds, score["accuracy"]

    return run


RUNS: dict[str, Run] = {
    "fast": ours,
    "published": published(torch.contiguous_format),
    "published, channels last": published(torch.channels_last),
}


def summary(runs: list[tuple[float, float]]) -> dict[str, Any]:
    """Figures of one recipe's runs."""
    seconds, accuracies = (list(values) for values in zip(*runs, strict=True))
    return {
        **timing.summary(seconds),
        "mean": statistics.mean(accuracies),
        "sd": statistics.stdev(accuracies),
        "n": len(runs),
        "accuracies": accuracies,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=10, help="seeds")
    n = parser.parse_args().n
    dataset = load("mnist")
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in RUNS}
    for seed in range(-1, n):  # -1 warms up: a seed that nobody has looked at, and nobody scores
        for name, run in RUNS.items():
            result = run(dataset, max(seed, 0))
            if seed >= 0:
                found[name].append(result)
    figures = {name: summary(runs) for name, runs in found.items()}
    ours_s = figures["fast"]["median_s"]
    result = figures | {
        "times_as_fast": {name: figures[name]["median_s"] / ours_s for name in RUNS},
        "recipe": named("fast").to_dict(),
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(result | {"versions": versions(), "machine": machine()}))


if __name__ == "__main__":
    main()
