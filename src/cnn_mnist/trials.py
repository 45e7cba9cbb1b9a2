"""Trials: the same recipe from many seeds, so that a figure has a mean, a deviation and an n.

Each seed has its own run directory, so trials that were stopped go on where they were, and more
seeds can be added to those already there. On the CPU several seeds are trained at a time, each by a
process with its share of the cores (benchmarks/trials.py compares that with one after the other).
"""

import os
import signal
import statistics
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from typing import Any, TypeAlias

import torch

from cnn_mnist.classifier import Classifier
from cnn_mnist.data.dataset import Dataset
from cnn_mnist.errors import CnnMnistError, Interrupted, RunError
from cnn_mnist.machine import cores, machine, versions
from cnn_mnist.recipe import Recipe
from cnn_mnist.run import Run, read_identity

Figures: TypeAlias = dict[str, Any]


def run_trials(
    directory: Path,
    recipe: Recipe,
    dataset: Dataset,
    *,
    n: int,
    first_seed: int = 0,
    device: str = "auto",
    processes: int | None = 1,
    on_run: Callable[[int, Figures], None] = lambda seed, figures: None,
) -> dict[str, Any]:
    """Train and score `n` runs, from the seeds `first_seed`, `first_seed + 1`, ...

    Args:
        directory: holds a run directory `seed-S` for each seed.
        recipe: the same for all.
        dataset: trained on its `train` split, scored once on its `test` split.
        n: how many, at least 1.
        first_seed: the first seed.
        device: see `Classifier`.
        processes: how many are trained at a time, each by a process with as many threads as its
            share of the cores; 1 trains in this process. None takes one for each core, or 1 on a
            GPU. A script that asks for more than 1 does it below `if __name__ == "__main__":`.
        on_run: called with the seed and the figures of each run when it has ended.

    Returns:
        Plain JSON values: `mean`, `sd` (of the sample; 0 for one run) and `n` of the accuracies at
        the last step; `accuracies`, `losses`, `mean_loss`, `train_seconds` and `seeds`, one for
        each run; `processes`, `recipe`, `dataset`, `versions`, `machine`.

    Raises:
        RunError: a run is there already, to another last step.
        CnnMnistError: see `cnn_mnist.train.train`; the other runs have written checkpoints.
    """
    seeds = range(first_seed, first_seed + n)
    if processes is None:
        on_gpu = device == "cuda" or (device == "auto" and torch.cuda.is_available())
        processes = 1 if on_gpu else cores()
    processes = min(processes, n)
    trial = _Trial(directory, recipe, dataset, device)
    found = map(trial, seeds) if processes == 1 else _in_processes(trial, seeds, processes)
    results: dict[int, Figures] = {}
    for seed, figures in found:
        results[seed] = figures
        on_run(seed, figures)
    ordered = [results[seed] for seed in seeds]
    accuracies = [result["accuracy"] for result in ordered]
    losses = [result["loss"] for result in ordered]
    return {
        "mean": statistics.mean(accuracies),
        "sd": statistics.stdev(accuracies) if n > 1 else 0.0,
        "n": n,
        "accuracies": accuracies,
        "mean_loss": statistics.mean(losses),
        "losses": losses,
        "train_seconds": [result["train_seconds"] for result in ordered],
        "seeds": list(seeds),
        "processes": processes,
        "recipe": recipe.to_dict(),
        "dataset": dataset.name,
        "dataset_sha256": dataset.sha256,
        "versions": versions(),
        "machine": machine(),
    }


class _Trial:
    """Trains and scores a seed."""

    def __init__(self, directory: Path, recipe: Recipe, dataset: Dataset, device: str) -> None:
        self.directory = directory
        self.recipe = recipe
        self.dataset = dataset
        self.device = device

    def __call__(self, seed: int) -> tuple[int, Figures]:
        path = self.directory / f"seed-{seed}"
        run = Classifier(path, self.recipe, seed=seed, device=self.device)
        before = read_identity(Run(path))
        steps = self.recipe.steps
        if before and before.recipe.steps != steps and not before.recipe.differences(self.recipe):
            raise RunError(
                f"{path} is a run to step {before.recipe.steps}, and these trials are to step "
                f"{steps}: choose another run directory"
            )
        return seed, run.train(self.dataset).evaluate(self.dataset)


def _in_processes(
    trial: _Trial, seeds: Sequence[int], processes: int
) -> Iterator[tuple[int, Figures]]:
    """The seeds dealt out to processes; what they give, as it comes."""
    context = get_context("spawn")  # a forked torch may hang in its threads
    results: Queue[Any] = context.Queue()
    threads = max(1, cores() // processes)
    workers: list[BaseProcess] = [
        context.Process(target=_work, args=(trial, seeds[first::processes], threads, results))
        for first in range(processes)
    ]
    with _ended(workers):
        for worker in workers:
            worker.start()
        for _ in seeds:
            result = _next(results, workers)
            if isinstance(result, CnnMnistError):
                raise result
            yield result


def _work(trial: _Trial, seeds: Sequence[int], threads: int, results: "Queue[Any]") -> None:
    """What a process does; an error takes the place of a result."""
    if hasattr(os, "setpgrp"):
        # Ctrl-C goes to a whole group. To the parent alone: it stops its processes with one signal,
        # where a second would end them before they have written their checkpoints.
        os.setpgrp()
    torch.set_num_threads(threads)
    try:
        for seed in seeds:
            results.put(trial(seed))
    except CnnMnistError as error:
        results.put(error)


def _next(results: "Queue[Any]", workers: Sequence[BaseProcess]) -> Any:
    """The next result.

    Raises:
        RunError: a process has died without one.
    """
    while True:
        # looked at before the queue: what a process gave before it ended is not overlooked
        dead = [worker.exitcode for worker in workers if worker.exitcode]
        try:
            return results.get(timeout=0.5)
        except Empty:
            if dead:
                raise RunError(
                    f"a process of the trials died (exit code {dead[0]}); its last checkpoint is "
                    "whole: the same command goes on"
                ) from None


@contextmanager
def _ended(workers: Sequence[BaseProcess]) -> Iterator[None]:
    """However the block is left, the processes end: by SIGTERM, which makes them checkpoint."""

    def stop(number: int, frame: object) -> None:
        raise Interrupted("stopped; each run has a checkpoint: the same command goes on", number)

    main = threading.current_thread() is threading.main_thread()  # which alone gets signals
    before = signal.signal(signal.SIGTERM, stop) if main else None
    try:
        yield
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)
        for worker in workers:
            if worker.is_alive():
                worker.terminate()
        for worker in workers:
            if worker.pid is not None:
                worker.join()
