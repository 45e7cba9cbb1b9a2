"""Compare a training step of the tutorial's network with a plain loop and the machine's limit.

    CNN_MNIST_DATA=... python benchmarks/step.py > benchmarks/results/step.json

Batch 100, float32, the recipe `standard`. In turn, A B C A B C ..., each in a process of its own:
our step; the step as it is commonly written in PyTorch (images one by one from a Dataset through a
DataLoader, NCHW, each ReLU before its pooling, Adam); the same step without the loading; and a
product of two matrices by MKL, taken as the limit of the machine (oneDNN's convolutions can exceed
it on AMD processors).

First, both loops do the same 200 steps on the same batches, without dropout, and the largest
difference of their losses is reported: with SGD, as in the recipe `tutorial`, it shows that they
compute the same; Adam divides by the root of squares near 0, which enlarges the smallest
differences. The last line of standard output is one JSON object.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain, repeat

import torch
import torch.nn.functional as F
from record import print_result
from timing import in_own_processes, summary
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from cnn_mnist import load
from cnn_mnist.data.dataset import Split
from cnn_mnist.networks.trace import layer_table
from cnn_mnist.recipe import Recipe, named
from cnn_mnist.training.malloc import tune_malloc
from cnn_mnist.training.schedules import learning_rate_at
from cnn_mnist.training.trainer import Trainer

ROUNDS, CALLS, WARM_UP = 25, 8, 2
SAME_STEPS = 200
MATRIX = 2048
RECIPE = named("standard")


class PlainImages(TorchDataset[tuple[torch.Tensor, int]]):
    """A split image by image, as torchvision's MNIST gives it with `ToTensor`."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = torch.from_numpy(self.split.images[index].copy())
        return image[None].to(torch.float32).div(255), int(self.split.labels[index])


class PlainLoop:
    """The tutorial's network and its step as most people would write them."""

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
        """Do one step: forward, backward, update. Return the loss."""
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(images), labels)
        loss.backward()
        self.optimizer.step()
        return loss.detach()


def largest_difference(recipe: Recipe, split: Split) -> float:
    """Return the largest difference of the losses of both loops, from equal weights and batches."""
    trainer, plain = Trainer(recipe, split, 10, seed=0, device="cpu"), PlainLoop(recipe)
    ours = [parameter.detach().clone() for parameter in trainer.model.parameters()]
    with torch.no_grad():
        for theirs, value in zip(plain.model.parameters(), ours, strict=True):
            theirs.copy_(value)
    differences = []
    for number in range(SAME_STEPS):
        images, labels = trainer.batch()
        step = trainer.advance()
        plain.optimizer.param_groups[0]["lr"] = learning_rate_at(recipe, number)
        differences.append(abs(float(step.loss - plain.step(images, labels))))
    return max(differences)


@cache
def split() -> Split:
    """Return the training images, read once in each process."""
    return load("auto").train


def time_calls(function: Callable[[], object]) -> list[float]:
    """Return the seconds of a few calls in a row, after one that is not timed."""
    times = []
    for _ in range(1 + CALLS):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return times[1:]


@cache
def trainer() -> Trainer:
    """Return our trainer."""
    tune_malloc()
    return Trainer(RECIPE, split(), 10, seed=0, device="cpu")


def our_step() -> list[float]:
    """Time our steps."""
    return time_calls(trainer().advance)


@cache
def plain() -> PlainLoop:
    """Return the plain loop."""
    return PlainLoop(RECIPE)


@cache
def batches() -> Iterator[list[torch.Tensor]]:
    """Yield the batches of the plain loop, epoch after epoch."""
    loader = DataLoader(PlainImages(split()), RECIPE.batch_size, shuffle=True)
    return chain.from_iterable(repeat(loader))


def plain_loop() -> list[float]:
    """Time plain steps with the loading of their batches."""
    return time_calls(lambda: plain().step(*next(batches())))


@cache
def batch() -> list[torch.Tensor]:
    """Return one batch, used for all steps."""
    return next(batches())


def plain_step() -> list[float]:
    """Time plain steps without the loading."""
    batch()
    return time_calls(lambda: plain().step(*batch()))


@cache
def matrices() -> torch.Tensor:
    """Return two matrices `(2, MATRIX, MATRIX)`."""
    return torch.randn(2, MATRIX, MATRIX)


def product() -> list[float]:
    """Time products of two matrices."""
    left, right = matrices()
    return time_calls(lambda: torch.mm(left, right))


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
    with in_own_processes(WAYS) as ways:
        for number in range(WARM_UP + ROUNDS):
            for name, way in ways.items():
                taken = way()
                if number >= WARM_UP:
                    times[name] += taken
    medians = {name: statistics.median(values) for name, values in times.items()}
    # two passes backward for each forward, but none to the images
    table = layer_table(trainer().model)
    flop = RECIPE.batch_size * (3 * sum(layer.flops for layer in table) - table[0].flops)
    limit = 2 * MATRIX**3 / medians["matrix product"]
    result = {
        "batch_size": RECIPE.batch_size,
        "threads": torch.get_num_threads(),
        "rounds": ROUNDS,
        "calls_a_round": CALLS,
        "times": {name: summary(values) for name, values in times.items()},
        "step_gflop": flop / 1e9,
        "roof_gflop_per_s": limit / 1e9,
        "share_of_roof": flop / limit / medians["cnn_mnist"],
        "images_per_second": RECIPE.batch_size / medians["cnn_mnist"],
        "ratio_to_plain_loop": medians["plain loop"] / medians["cnn_mnist"],
        "ratio_to_plain_step": medians["plain step"] / medians["cnn_mnist"],
        "largest_loss_difference": differences,
        "same_steps": SAME_STEPS,
    }
    print_result(result)


if __name__ == "__main__":
    main()
