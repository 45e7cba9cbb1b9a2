"""Compare the time to 99 % accuracy of the recipe `fast` with the fastest published recipe.

    CNN_MNIST_DATA=... python benchmarks/fast.py > benchmarks/results/fast_race.json

The published recipe is that of the last notebook of https://github.com/tuomaso/train_mnist_fast:
two convolutions (5x5, 24 channels; 3x3, 32), each with max-pooling and ReLU, a dense layer of 256,
Adam with one cycle to 0.01, one epoch in batches of 256. It runs as published, and with its tensors
in channels-last order, on our 55,000 training images (it had 60,000). Each recipe has a process of
its own; they run in turn, A B C A B C ..., one seed in each round. A time is that of all training
steps, without reading the data and building the network. Every run is scored once, at its last
step, on the test images. The last line of standard output is one JSON object.
"""

import argparse
import statistics
import time
from functools import cache, partial
from typing import Any

import timing
import torch
import torch.nn.functional as F
from record import print_result
from torch import nn

from cnn_mnist import Dataset, load
from cnn_mnist.evaluation.metrics import evaluate
from cnn_mnist.networks.classify import as_tensor, classify
from cnn_mnist.recipe import named
from cnn_mnist.training.malloc import tune_malloc
from cnn_mnist.training.trainer import Trainer

BATCH_SIZE = 256


@cache
def images() -> Dataset:
    """Return MNIST, read once in each process."""
    return load("mnist")


def ours(seed: int) -> tuple[float, float]:
    """Train the recipe `fast` from a seed; return seconds and test accuracy."""
    tune_malloc()
    recipe, dataset = named("fast"), images()
    trainer = Trainer(recipe, dataset.train, dataset.classes, seed=seed, device="cpu")
    began = time.perf_counter()
    while trainer.step < recipe.steps:
        trainer.advance()
    trainer.finish()
    seconds = time.perf_counter() - began
    return seconds, evaluate(trainer.classify, dataset.test)["accuracy"]


def published(seed: int, memory_format: torch.memory_format) -> tuple[float, float]:
    """Train the published recipe from a seed; return seconds and test accuracy."""
    torch.manual_seed(seed)
    pixels = as_tensor(images().train.images)[:, None].float() / 255
    labels = as_tensor(images().train.labels).long()
    model = nn.Sequential(
        *(nn.Conv2d(1, 24, 5), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Conv2d(24, 32, 3), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(32 * 5 * 5, 256), nn.ReLU(), nn.Linear(256, 10)),
    ).to(memory_format=memory_format)
    steps = -(-len(pixels) // BATCH_SIZE)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.7, 0.9))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=steps)
    began = time.perf_counter()
    for batch in torch.randperm(len(pixels)).split(BATCH_SIZE):
        loss = F.cross_entropy(model(pixels[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    seconds = time.perf_counter() - began
    score = evaluate(lambda batch: classify(model, batch), images().test)
    return seconds, score["accuracy"]


RUNS = {
    "fast": ours,
    "published": partial(published, memory_format=torch.contiguous_format),
    "published, channels last": partial(published, memory_format=torch.channels_last),
}


def summary(runs: list[tuple[float, float]]) -> dict[str, Any]:
    """Return times and accuracies of one recipe's runs."""
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
    parser.add_argument("--n", type=int, default=10, help="number of seeds")
    n = parser.parse_args().n
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in RUNS}
    with timing.in_own_processes(RUNS) as runs:
        for run in runs.values():
            run(0)  # warms up
        for seed in range(n):
            for name, run in runs.items():
                found[name].append(run(seed))
    summaries = {name: summary(results) for name, results in found.items()}
    ours_s = summaries["fast"]["median_s"]
    result = summaries | {
        "times_as_fast": {name: summaries[name]["median_s"] / ours_s for name in RUNS},
        "recipe": named("fast").to_dict(),
        "threads": torch.get_num_threads(),
    }
    print_result(result)


if __name__ == "__main__":
    main()
