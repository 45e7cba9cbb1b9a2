"""Share among the tests of training: data learnt in seconds, small recipes, hooks that watch."""

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnn_mnist.data.dataset import Dataset, Split
from cnn_mnist.files import sha256
from cnn_mnist.networks import NETWORKS
from cnn_mnist.recipe import Recipe
from cnn_mnist.runs.run import Run
from cnn_mnist.training.hooks import End, Hook, Step
from cnn_mnist.training.loop import train
from cnn_mnist.training.trainer import Trainer


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Use one thread: the networks here are too small for more, and the cores may be busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny_split(count: int, *, seed: int = 0) -> Split:
    """Return noisy copies of ten patterns, `count` in all, every class among them."""
    patterns = np.random.default_rng(99).random((10, 28, 28)) > 0.7
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(count) % 10).astype(np.uint8)
    noise = random.integers(0, 128, (count, 28, 28))
    return Split((patterns[labels] * 127 + noise).astype(np.uint8), labels)


def tiny_dataset(name: str = "tiny", *, seed: int = 0) -> Dataset:
    """Return 240 images to train and validate with, and 50 to test."""
    whole, test = tiny_split(240, seed=2 * seed), tiny_split(50, seed=2 * seed + 1)
    return Dataset.from_arrays(name, (whole.images, whole.labels), (test.images, test.labels))


def tiny_recipe(**changes: Any) -> Recipe:
    """Return thirty steps of softmax regression, the fields in `changes` replaced."""
    fields = {
        "name": "tiny",
        "network": "softmax",
        "learning_rate": 0.01,
        "schedule": "constant",
        "batch_size": 16,
        "steps": 30,
        "log_every": 10,
        "checkpoint_every": 10,
    }
    return Recipe(**fields | changes)


def trained(
    run_dir: Path,
    *,
    seed: int = 0,
    hooks: tuple[Hook, ...] = (),
    keep_best: bool = False,
    **changes: Any,
) -> Trainer:
    """Train a tiny recipe on the tiny data set, on the CPU."""
    recipe, dataset = tiny_recipe(**changes), tiny_dataset()
    run = Run(run_dir)
    return train(run, recipe, dataset, seed=seed, device="cpu", hooks=hooks, keep_best=keep_best)


def hashes(run_dir: Path, step: int) -> tuple[str, str]:
    """Return the SHA-256 of a checkpoint's weights and of its optimizer's state."""
    folder = run_dir / "checkpoints" / f"step-{step:08d}"
    return sha256(folder / "model.safetensors"), sha256(folder / "optimizer.safetensors")


def kept_metrics(run_dir: Path) -> list[dict[str, float]]:
    """Return the metrics of a run, without the speed."""
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [{key: line[key] for key in line if key != "images_per_second"} for line in lines]


class Watch(Hook):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.losses: list[float] = []
        self.metrics: list[dict[str, float]] = []
        self.ended = 0

    def after_step(self, step: Step) -> None:
        self.steps.append(step.number)
        self.losses.append(float(step.loss))

    def on_metrics(self, metrics: Mapping[str, float]) -> None:
        self.metrics.append(dict(metrics))

    def end(self, end: End) -> None:
        self.ended += 1
        self.the_end = end


class SendSignal(Hook):
    """Sends this process a signal after a step, a number of times."""

    def __init__(self, number: signal.Signals, *, at: int, times: int = 1) -> None:
        self.number, self.at, self.times = number, at, times

    def after_step(self, step: Step) -> None:
        if step.number == self.at:
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)


if __name__ == "__main__":  # RUN_DIR STEP CHANGES: train, and be killed after STEP
    torch.set_num_threads(1)
    kill = SendSignal(signal.SIGKILL, at=int(sys.argv[2]))
    changes = json.loads(sys.argv[3])
    changes["network"] = NETWORKS.resolve(changes.get("network", "softmax"))
    trained(Path(sys.argv[1]), hooks=(kill,), **changes)
