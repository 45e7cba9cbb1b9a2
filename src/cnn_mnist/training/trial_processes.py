"""Train several runs at a time, each in a process with its share of the cores.

A process takes the next run when it has ended one, so that long and short runs share the cores. The
processes end with their parent, however that ends; a signal makes each of them write a checkpoint.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from types import ModuleType
from typing import Any, TypeAlias

import torch

from cnn_mnist.errors import CnnMnistError, Interrupted, RunError
from cnn_mnist.machine import cores
from cnn_mnist.recipe import Recipe
from cnn_mnist.training.device import automatic
from cnn_mnist.training.malloc import tune_malloc
from cnn_mnist.training.parts import import_own_parts, in_main
from cnn_mnist.training.signals import (
    STOPPING,
    handle_signals,
    restore_handlers,
    stop_with_parent,
)

Result: TypeAlias = dict[str, Any]
"""What one run has given, as plain values."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One run of several."""

    path: Path
    """Its run directory."""
    recipe: Recipe
    seed: int


Train: TypeAlias = Callable[[Trial], Result]
"""Trains and scores one run; it is sent to the processes, so that it must pass through `pickle`."""


def results_of(
    trials: Sequence[Trial], train: Train, *, device: str, processes: int | None
) -> Iterator[tuple[Trial, Result]]:
    """Train all runs, and yield their results in the order in which they end.

    Args:
        trials: at least one.
        train: does one of them.
        device: see `Trainer`; decides the default of `processes`.
        processes: see `process_count`.

    Raises:
        RunError: a process has died.
        CnnMnistError: what `train` raised; the other runs have written checkpoints.
    """
    count = process_count(processes, device, len(trials))
    if count == 1:
        return ((trial, train(trial)) for trial in trials)
    return _in_processes(trials, train, count)


def process_count(processes: int | None, device: str, runs: int) -> int:
    """Return how many of `runs` runs are trained at a time; None: one per core, or 1 on a GPU."""
    on_gpu = (automatic() if device == "auto" else device) != "cpu"
    return min(processes or (1 if on_gpu else cores()), runs)


def _in_processes(
    trials: Sequence[Trial], train: Train, count: int
) -> Iterator[tuple[Trial, Result]]:
    context = get_context("spawn")  # a forked torch may hang in its threads
    results: Queue[Any] = context.Queue()
    taken = context.Value("q", 0)  # how many runs have been taken by a process
    # `train` holds the data set. It is not among the arguments: Python would wait for ever for a
    # process that has died before it has read them.
    work: Queue[Any] = context.Queue()
    for _ in range(count):
        work.put(train)
    work.cancel_join_thread()  # what a dead process has not read does not hold this one at its end
    threads = max(1, cores() // count)
    arguments = (trials, threads, taken, work, results)
    workers: list[BaseProcess] = [
        context.Process(target=_work, args=arguments) for _ in range(count)
    ]
    defined_here = any(in_main(trial.recipe) for trial in trials)
    with _terminated(workers):
        with nullcontext() if defined_here else _hidden_main():
            for worker in workers:
                worker.start()
        for _ in trials:
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


def _work(
    trials: Sequence[Trial],
    threads: int,
    taken: Any,
    work: "Queue[Train]",
    results: "Queue[Any]",
) -> None:
    """Train run after run in a process of its own; an error takes the place of a result."""
    if hasattr(os, "setpgrp"):
        # Ctrl-C goes to a whole process group. It should reach the parent alone, which stops its
        # processes with one signal: a second one would end them before their checkpoints.
        os.setpgrp()
    stop_with_parent()
    tune_malloc()
    torch.set_num_threads(threads)
    try:
        train = work.get()
        while (place := _take(taken)) < len(trials):
            trial = trials[place]
            import_own_parts(trial.recipe)
            results.put((trial, train(trial)))
    except CnnMnistError as error:
        results.put(error)


def _take(taken: Any) -> int:
    """Return the place of the next run, and count it as taken."""
    with taken.get_lock():
        place: int = taken.value
        taken.value += 1
    return place


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
