"""Compare training with two processes and with one: the same weights, and how fast.

Weights are compared without dropout, with which both compute the same. Speed is that of the
tutorial's network with batches of 100, in steps per second: 2 processes with 1 thread each, and 1
process with 2, in turn.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cnn_mnist import Hook, load
from cnn_mnist.data.dataset import Dataset
from cnn_mnist.recipe import named
from cnn_mnist.runs.checkpoint import newest
from cnn_mnist.runs.run import Run
from cnn_mnist.training.hooks import Step
from cnn_mnist.training.loop import train
from cnn_mnist.training.malloc import tune_malloc

from .forked_training import start_training

WARM_UP = 10


def difference(folder: Path, dataset: Dataset, *, network: str, steps: int) -> dict[str, Any]:
    """Return the largest difference of a weight between two processes and one."""
    recipe = replace(
        named("tutorial"), network=network, dropout=0.0, steps=steps, checkpoint_every=steps
    )
    weights = []
    for workers in (1, 2):
        run_dir = folder / f"{network}-{workers}"
        if any(start_training(run_dir, dataset, workers=workers, recipe=recipe).wait()):
            raise RuntimeError(f"the training with {workers} workers failed: see above")
        checkpoint = newest(Run(run_dir).checkpoints)
        assert checkpoint is not None
        weights.append(checkpoint.weights)
    one, two = weights
    largest = max(float((one[name] - two[name]).abs().max()) for name in one)
    return {"network": network, "steps": steps, "max_abs_diff": largest}


def speed(folder: Path, *, steps: int, rounds: int) -> dict[str, Any]:
    """Return the steps per second of both, in turn, and their medians over the rounds."""
    forms = {"1 process x 2 threads": (1, "2"), "2 processes x 1 thread": (2, "1")}
    rates: dict[str, list[float]] = {name: [] for name in forms}
    for number in range(rounds):
        for name, (workers, threads) in forms.items():
            run_dir = folder / f"{number}-{workers}"
            command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
            command += ["--nproc-per-node", str(workers), "-m", "tests.faults.two_processes"]
            environment = os.environ | {"OMP_NUM_THREADS": threads}
            done = subprocess.run(
                [*command, str(run_dir), str(steps)],
                check=True,
                capture_output=True,
                text=True,
                env=environment,
            )
            rates[name].append(json.loads(done.stdout.splitlines()[-1]))
    return {
        "steps_per_second": {name: statistics.median(values) for name, values in rates.items()},
        "all": rates,
        "steps": steps,
    }


def tutorial(folder: Path) -> dict[str, Any]:
    """Train the recipe `tutorial` with two processes and return its accuracy on MNIST."""
    command = [sys.executable, "-m", "cnn_mnist", "train", "--recipe", "tutorial", "--json"]
    command += ["--data", "mnist", "--workers", "2", "--run-dir", str(folder / "tutorial")]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout.splitlines()[-1])
    return {name: result[name] for name in ("accuracy", "loss", "global_step", "train_seconds")}


class _StepTimes(Hook):
    """Keep the time of each step."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def after_step(self, step: Step) -> None:
        self.times.append(time.perf_counter())

    @property
    def rate(self) -> float:
        """Steps per second after the warm-up."""
        return (len(self.times) - 1 - WARM_UP) / (self.times[-1] - self.times[WARM_UP])


def _measure(run_dir: Path, steps: int) -> None:
    """Train in this process, one of those that torchrun started, and print the speed."""
    recipe = replace(named("tutorial"), steps=steps, log_every=steps, checkpoint_every=steps)
    step_times = _StepTimes()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    tune_malloc()
    train(Run(run_dir), recipe, load("auto"), device="cpu", hooks=[step_times])
    if step_times.times:
        print(json.dumps(step_times.rate))


if __name__ == "__main__":
    _measure(Path(sys.argv[1]), int(sys.argv[2]))
