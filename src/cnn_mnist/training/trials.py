"""Train the same recipe from many seeds, so that a figure has a mean, a deviation and an n.

Each seed has its own run directory, so that stopped trials go on where they were, and more seeds
can be added to those already there. On the CPU several seeds are trained at a time, each by a
process with its share of the cores (benchmarks/trials.py compares that with one after the other).
"""

import os
import signal
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from types import ModuleType
from typing import Any, TypeAlias

import torch

from cnn_mnist.data.dataset import Dataset
from cnn_mnist.errors import CnnMnistError, Interrupted, RunError
from cnn_mnist.evaluation.metrics import evaluate
from cnn_mnist.machine import cores, machine, versions
from cnn_mnist.recipe import Recipe
from cnn_mnist.runs.identity import read_identity
from cnn_mnist.runs.run import Run
from cnn_mnist.training.loop import train
from cnn_mnist.training.malloc import tune_malloc
from cnn_mnist.training.parts import import_own_parts, in_main, require_known_parts
from cnn_mnist.training.signals import (
    STOPPING,
    handle_signals,
    restore_handlers,
    stop_with_parent,
)

Result: TypeAlias = dict[str, Any]
"""The test metrics of one run, and its `train_seconds`."""


def run_trials(
    directory: Path,
    recipe: Recipe,
    dataset: Dataset,
    *,
    n: int,
    first_seed: int = 0,
    device: str = "auto",
    processes: int | None = 1,
    on_run: Callable[[int, Result], None] = lambda seed, result: None,
) -> dict[str, Any]:
    """Train and score `n` runs, from the seeds `first_seed`, `first_seed + 1`, ...

    Args:
        directory: holds a run directory `seed-S` for each seed.
        recipe: the same for all.
        dataset: trained on its `train` split, scored once on its `test` split.
        n: how many, at least 1.
        first_seed: the first seed.
        device: see `Trainer`.
        processes: how many are trained at a time, each by a process with its share of the cores;
            1 trains in this process; None takes one for each core, or 1 on a GPU.
        on_run: called with the seed and the result of each run when it has ended.

    Returns:
        Plain JSON values: `mean`, `sd` (of the sample; 0 for one run) and `n` of the accuracies at
        the last step; `accuracies`, `losses`, `train_seconds` and `seeds` of the runs; `mean_loss`,
        `processes`, `recipe`, `dataset`, `versions`, `machine`.

    Raises:
        RunError: a run is there already, to another last step.
        CnnMnistError: see `cnn_mnist.training.loop.train`; the other runs have written checkpoints.
    """
    require_known_parts(recipe)
    seeds = range(first_seed, first_seed + n)
    processes = min(processes or _default_processes(device), n)
    trial = _Trial(directory, recipe, dataset, device)
    found = map(trial, seeds) if processes == 1 else _in_processes(trial, seeds, processes)
    results: dict[int, Result] = {}
    for seed, result in found:
        results[seed] = result
        on_run(seed, result)
    ordered = [results[seed] for seed in seeds]
    return {
        **_statistics(ordered),
        "seeds": list(seeds),
        "processes": processes,
        **_provenance(recipe, dataset),
    }


def _provenance(recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """Return what the results were made with."""
    return {
        "recipe": recipe.to_dict(),
        "dataset": dataset.name,
        "dataset_sha256": dataset.sha256,
        "versions": versions(),
        "machine": machine(),
    }


def _default_processes(device: str) -> int:
    """Return one process for each core, or 1 on a GPU."""
    on_gpu = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    return 1 if on_gpu else cores()


def _statistics(results: Sequence[Result]) -> dict[str, Any]:
    """Return mean, deviation and the single values of several runs; see `run_trials`."""
    accuracies = [result["accuracy"] for result in results]
    losses = [result["loss"] for result in results]
    return {
        "mean": statistics.mean(accuracies),
        "sd": statistics.stdev(accuracies) if len(results) > 1 else 0.0,
        "n": len(results),
        "accuracies": accuracies,
        "mean_loss": statistics.mean(losses),
        "losses": losses,
        "train_seconds": [result["train_seconds"] for result in results],
    }


class _Trial:
    """Trains and scores a seed."""

    def __init__(self, directory: Path, recipe: Recipe, dataset: Dataset, device: str) -> None:
        self.directory = directory
        self.recipe = recipe
        self.dataset = dataset
        self.device = device

    def __call__(self, seed: int) -> tuple[int, Result]:
        run = Run(self.directory / f"seed-{seed}")
        before = read_identity(run)
        steps = self.recipe.steps
        if before and before.recipe.steps != steps and not before.recipe.differences(self.recipe):
            raise RunError(
                f"{run.path} is a run to step {before.recipe.steps}, and these trials are to step "
                f"{steps}: choose another run directory"
            )
        trainer = train(run, self.recipe, self.dataset, seed=seed, device=self.device)
        result = evaluate(trainer.classify, self.dataset.test)
        return seed, result | {"train_seconds": trainer.train_seconds}


def _in_processes(
    trial: _Trial, seeds: Sequence[int], processes: int
) -> Iterator[tuple[int, Result]]:
    """Distribute the seeds over processes, and yield results in the order in which they end."""
    context = get_context("spawn")  # a forked torch may hang in its threads
    results: Queue[Any] = context.Queue()
    threads = max(1, cores() // processes)
    workers: list[BaseProcess] = [
        context.Process(target=_work, args=(trial, seeds[first::processes], threads, results))
        for first in range(processes)
    ]
    with _terminated(workers):
        with nullcontext() if in_main(trial.recipe) else _hidden_main():
            for worker in workers:
                worker.start()
        for _ in seeds:
            result = _next(results, workers)
            if isinstance(result, CnnMnistError):
                raise result
            yield result


@contextmanager
def _hidden_main() -> Iterator[None]:
    """Keep processes that start in the block from importing the script that has called us.

    A script without `if __name__ == "__main__":`, or one from standard input, could not be imported
    there. Only one that defines a part of the recipe itself is needed there, and needs that line.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _work(trial: _Trial, seeds: Sequence[int], threads: int, results: "Queue[Any]") -> None:
    """Train some seeds in a process of their own; an error takes the place of a result."""
    if hasattr(os, "setpgrp"):
        # Ctrl-C goes to a whole process group. It should reach the parent alone, which stops its
        # processes with one signal: a second one would end them before their checkpoints.
        os.setpgrp()
    stop_with_parent()
    tune_malloc()
    torch.set_num_threads(threads)
    try:
        import_own_parts(trial.recipe)
        for seed in seeds:
            results.put(trial(seed))
    except CnnMnistError as error:
        results.put(error)


def _next(results: "Queue[Any]", workers: Sequence[BaseProcess]) -> Any:
    """Return the next result.

    Raises:
        RunError: a process has died without one.
    """
    while True:
        # read before the queue, so that what a process gave before it ended is not overlooked
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
def _terminated(workers: Sequence[BaseProcess]) -> Iterator[None]:
    """End the processes however the block is left: by SIGTERM, which makes them checkpoint."""

    def stop(number: int, frame: object) -> None:
        raise Interrupted("stopped; each run has a checkpoint: the same command goes on", number)

    before = handle_signals(stop, [number for number in STOPPING if number != signal.SIGINT])
    try:
        yield
    finally:
        restore_handlers(before)
        for worker in workers:
            if worker.is_alive():
                worker.terminate()
        for worker in workers:
            if worker.pid is not None:
                worker.join()
