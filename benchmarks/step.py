"""One training step of the lesson's network, against the machine's limit and a plain loop.

    CNN_MNIST_DATA=... python benchmarks/step.py > benchmarks/results/step.json

Batch 100, float32, the recipe `standard`. In turn, A B C A B C ..., in a process each: our step;
the step as it is commonly written in PyTorch (images one by one out of a Dataset by a DataLoader,
NCHW, each ReLU before its pooling, Adam); the same step without the loading; and a product of two
matrices by MKL (the roof; oneDNN's convolutions can go beyond it on AMD's processors). First both
do the same 200 steps on the same batches, without dropout, by SGD as in the recipe `tutorial`, and
the largest difference of their losses is given: they are the same mathematics. (Adam divides by the
root of squares near 0, and makes large differences of the smallest ones: it is given too.) The last
line of standard output is one JSON object.
"""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain, repeat

import torch
import torch.nn.functional as F
from timing import apart, summary
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from cnn_mnist import load
from cnn_mnist.data.dataset import Split
from cnn_mnist.machine import machine, versions
from cnn_mnist.model import layers
from cnn_mnist.recipe import Recipe, named
from cnn_mnist.train import Trainer

ROUNDS, CALLS, WARM_UP = 25, 8, 2
SAME_STEPS = 200
MATRIX = 2048
RECIPE = named("standard")


class PlainImages(TorchDataset[tuple[torch.Tensor, int]]):
    """Image by image, as torchvision's MNIST with `ToTensor` gives them."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = torch.from_numpy(self.split.images[index].copy())
        return image[None].to(torch.float32).div(255), int(self.split.labels[index])


class PlainLoop:
    """The lesson's network and its step as most would write them."""

    def __init__(self, recipe: Recipe) -> None:
        self.model = nn.Sequential(
            *(nn.Conv2d(1, 32, 5, padding="same"), nn.ReLU(), nn.MaxPool2d(2, 2)),
            *(nn.Conv2d(32, 64, 5, padding="same"), nn.ReLU(), nn.MaxPool2d(2, 2)),
            *(nn.Flatten(), nn.Linear(64 * 7 * 7, 1024), nn.ReLU(), nn.Dropout(recipe.dropout)),
            nn.Linear(1024, 10),
        )
        optimizer = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[recipe.optimizer]
        self.optimizer = optimizer(self.model.parameters(), lr=recipe.learning_rate)

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Forward, backward, update."""
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(images), labels)
        loss.backward()
        self.optimizer.step()
        return loss.detach()


def largest_difference(recipe: Recipe, split: Split) -> float:
    """Of the losses of both loops, from the same weights, on the same batches."""
    trainer, plain = Trainer(recipe, split, 10, seed=0, device="cpu"), PlainLoop(recipe)
    ours = [parameter.detach().clone() for parameter in trainer.model.parameters()]
    with torch.no_grad():
        for theirs, value in zip(plain.model.parameters(), ours, strict=True):
            theirs.copy_(value)
    differences = []
    for number in range(SAME_STEPS):
        images, labels = trainer.batch()
        step = trainer.advance()
        plain.optimizer.param_groups[0]["lr"] = recipe.learning_rate_at(number)
        differences.append(abs(float(step.loss - plain.step(images, labels))))
    return max(differences)


@cache
def split() -> Split:
    """The images, read once in each process."""
    return load("auto").train


def turn(thing: Callable[[], object]) -> list[float]:
    """Seconds of a few calls in a row; the first one, after another's turn, is not counted."""
    times = []
    for _ in range(1 + CALLS):
        began = time.perf_counter()
        thing()
        times.append(time.perf_counter() - began)
    return times[1:]


@cache
def trainer() -> Trainer:
    """Ours."""
    return Trainer(RECIPE, split(), 10, seed=0, device="cpu")


def our_step() -> list[float]:
    """One turn."""
    return turn(trainer().advance)


@cache
def plain() -> PlainLoop:
    """Theirs."""
    return PlainLoop(RECIPE)


@cache
def batches() -> Iterator[list[torch.Tensor]]:
    """Theirs, epoch after epoch."""
    loader = DataLoader(PlainImages(split()), RECIPE.batch_size, shuffle=True)
    return chain.from_iterable(repeat(loader))


def plain_loop() -> list[float]:
    """One turn, each batch with its loading."""
    return turn(lambda: plain().step(*next(batches())))


@cache
def batch() -> list[torch.Tensor]:
    """One for all steps."""
    return next(batches())


def plain_step() -> list[float]:
    """One turn, without the loading."""
    batch()
    return turn(lambda: plain().step(*batch()))


@cache
def matrices() -> torch.Tensor:
    """Two."""
    return torch.randn(2, MATRIX, MATRIX)


def product() -> list[float]:
    """One turn."""
    left, right = matrices()
    return turn(lambda: torch.mm(left, right))


WAYS = {
    "cnn_mnist": our_step,
    "plain loop": plain_loop,
    "plain step": plain_step,
    "matrix product": product,
}


def main() -> None:
    """Measure and print."""
    differences = {
        name: largest_difference(named(name, dropout=0.0), split())
        for name in ("tutorial", "standard")
    }
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    with apart(WAYS) as ways:
        for number in range(WARM_UP + ROUNDS):
            for name, way in ways.items():
                taken = way()
                if number >= WARM_UP:
                    times[name] += taken
    medians = {name: statistics.median(values) for name, values in times.items()}
    # two passes backward for one forward, but none to the images
    table = layers(trainer().model)
    flop = RECIPE.batch_size * (3 * sum(layer.flops for layer in table) - table[0].flops)
    roof = 2 * MATRIX**3 / medians["matrix product"]
    result = {
        "batch_size": RECIPE.batch_size,
        "threads": torch.get_num_threads(),
        "rounds": ROUNDS,
        "calls_a_round": CALLS,
        "times": {name: summary(values) for name, values in times.items()},
        "step_gflop": flop / 1e9,
        "roof_gflop_per_s": roof / 1e9,
        "share_of_roof": flop / roof / medians["cnn_mnist"],
        "images_per_second": RECIPE.batch_size / medians["cnn_mnist"],
        "ratio_to_plain_loop": medians["plain loop"] / medians["cnn_mnist"],
        "ratio_to_plain_step": medians["plain step"] / medians["cnn_mnist"],
        "largest_loss_difference": differences,
        "same_steps": SAME_STEPS,
    }
    print(json.dumps(result | {"versions": versions(), "machine": machine()}))


if __name__ == "__main__":
    main()
