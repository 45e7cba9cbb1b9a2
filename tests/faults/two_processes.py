"""Two processes against one: the same weights, and how fast.

Compared with dropout off, where both compute the same; speed of the reference network at batch
100, 2 processes with 1 thread each against 1 process with 2, in turn, in steps a second.
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
from benchmarks.faults.lives import live
from cnn_mnist.checkpoint import newest
from cnn_mnist.hooks import Step
from cnn_mnist.run import Run
from cnn_mnist.train import train

from cnn_mnist import Hook, load
from cnn_mnist.data.dataset import Dataset
from cnn_mnist.recipe import named

WARM_UP = 10


def difference(folder: Path, dataset: Dataset, *, network: str, steps: int) -> dict[str, Any]:
    """Largest difference of a weight between two processes and one, after so many steps."""
    recipe = replace(
        named("tutorial"), network=network, dropout=0.0, steps=steps, checkpoint_every=steps
    )
    weights = []
    for workers in (1, 2):
        run_dir = folder / f"{network}-{workers}"
        if any(live(run_dir, dataset, workers=workers, recipe=recipe).end()):
            raise RuntimeError(f"{workers} workers did not finish")
        checkpoint = newest(Run(run_dir).checkpoints)
        assert checkpoint is not None
        weights.append(checkpoint.weights)
    one, two = weights
    largest = max(float((one[name] - two[name]).abs().max()) for name in one)
    return {"network": network, "steps": steps, "max_abs_diff": largest}


def speed(folder: Path, *, steps: int, rounds: int) -> dict[str, Any]:
    """Steps a second of both, the median of the rounds; they take turns."""
    forms = {"1 process x 2 threads": (1, "2"), "2 processes x 1 thread": (2, "1")}
    rates: dict[str, list[float]] = {name: [] for name in forms}
    for number in range(rounds):
        for name, (workers, threads) in forms.items():
            run_dir = folder / f"{number}-{workers}"
            command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
            command += ["--nproc-per-node", str(workers), "-m", "benchmarks.faults.scale"]
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


def lesson(folder: Path) -> dict[str, Any]:
    """The tutorial by two processes, to its end, dropout and all: its accuracy on MNIST."""
    command = [sys.executable, "-m", "cnn_mnist", "train", "--recipe", "tutorial", "--json"]
    command += ["--data", "mnist", "--workers", "2", "--run-dir", str(folder / "lesson")]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout.splitlines()[-1])
    return {name: result[name] for name in ("accuracy", "loss", "global_step", "train_seconds")}


class _Pace(Hook):
    """Steps a second after the warm-up."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def after_step(self, step: Step) -> None:
        self.times.append(time.perf_counter())

    @property
    def rate(self) -> float:
        return (len(self.times) - 1 - WARM_UP) / (self.times[-1] - self.times[WARM_UP])


def _measured(run_dir: Path, steps: int) -> None:
    recipe = replace(named("tutorial"), steps=steps, log_every=steps, checkpoint_every=steps)
    pace = _Pace()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    train(Run(run_dir), recipe, load("auto"), device="cpu", hooks=[pace])
    if pace.times:
        print(json.dumps(pace.rate))


if __name__ == "__main__":
    _measured(Path(sys.argv[1]), int(sys.argv[2]))
