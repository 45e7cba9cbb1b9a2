"""Train in processes that are forked from this one, so that starting one costs no imports.

A training is killed, fails or finishes; its progress is seen from outside, in shared memory and in
the run directory.
"""

import faulthandler
import mmap
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from cnn_mnist.data import digits
from cnn_mnist.data.dataset import Dataset
from cnn_mnist.errors import CnnMnistError
from cnn_mnist.files import sha256
from cnn_mnist.recipe import Recipe
from cnn_mnist.runs.identity import Identity
from cnn_mnist.runs.run import Run
from cnn_mnist.training.hooks import Hook, Start, Step
from cnn_mnist.training.loop import train
from cnn_mnist.training.trainer import Trainer

RECIPE = Recipe(
    name="faults",
    network="small",
    dropout=0.4,
    learning_rate=0.002,
    augmentation="affine",
    batch_size=16,
    steps=100,
    log_every=5,
    checkpoint_every=10,
)
"""Everything that has a state or is random: dropout, Adam, augmentation, a schedule."""

TIMEOUT_S = 600.0
"""A training that takes longer hangs."""

HUNG = 999
"""Exit code of a training that hung."""


def load_digits() -> Dataset:
    """Load the data set of all trainings, and prepare this process to be forked."""
    torch.set_num_threads(1)  # other threads would be missing after a fork
    dataset = digits.load()
    Trainer(RECIPE, dataset.train, dataset.classes, seed=0, device="cpu")  # imports all it needs
    Identity.of(RECIPE, dataset, 0)  # computes the hash, which the data set keeps
    return dataset


class Progress(Hook):
    """A hook that keeps the first and the newest step in memory shared with the parent."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 16)
        self._write(-1, -1)

    def begin(self, start: Start) -> None:
        """Keep the step that training begins at."""
        self._write(start.first_step, start.first_step)

    def after_step(self, step: Step) -> None:
        """Keep the step that was done."""
        self._write(self.first, step.number)

    def _write(self, first: int, newest: int) -> None:
        self._shared[:] = struct.pack("<qq", first, newest)

    @property
    def first(self) -> int:
        """The step that training began at; -1 before."""
        return int(struct.unpack("<qq", self._shared[:])[0])

    @property
    def newest(self) -> int:
        """The newest step that was done; -1 before training began."""
        return int(struct.unpack("<qq", self._shared[:])[1])

    def reached(self, steps: int) -> bool:
        """Return whether so many steps have been done since the beginning, or all of the recipe."""
        return self.first >= 0 and self.newest >= min(self.first + steps, RECIPE.steps)


@dataclass
class Training:
    """A training in one process or several."""

    pids: list[int]
    progress: Progress

    def kill(self) -> None:
        """Send SIGKILL to all processes that are left."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids:
            os.kill(pid, number)

    def has_ended(self) -> bool:
        """Return whether one of the processes has ended."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return any(os.waitid(os.P_PID, pid, options) is not None for pid in self.pids)

    def wait(self) -> list[int]:
        """Wait for all processes and return their exit codes, -N if signal N ended one.

        If one fails, the others get SIGTERM, as from torchrun's agent. After `TIMEOUT_S` all are
        killed, and one more code is `HUNG`.
        """
        codes: list[int] = []
        until = time.monotonic() + TIMEOUT_S
        while self.pids:
            for pid in list(self.pids):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    self.pids.remove(pid)
                    codes.append(os.waitstatus_to_exitcode(status))
                    if codes[-1]:
                        self._signal(signal.SIGTERM)
            if time.monotonic() > until:
                self.kill()
                until, codes = float("inf"), [*codes, HUNG]
            time.sleep(0.002)
        return codes


def start_training(
    run_dir: Path,
    dataset: Dataset,
    *,
    workers: int = 1,
    recipe: Recipe = RECIPE,
    prepare: Callable[[], None] = lambda: None,
) -> Training:
    """Start a training.

    Args:
        run_dir: a run directory, new or begun.
        dataset: trained on.
        workers: number of processes.
        recipe: how to train.
        prepare: called first in the process that writes, to inject a fault.
    """
    progress = Progress()
    group = {
        "TORCHELASTIC_RUN_ID": "faults",
        "WORLD_SIZE": str(workers),
        "MASTER_ADDR": "localhost",
    }
    group["MASTER_PORT"] = str(_free_port())
    pids = []
    for rank in range(workers):
        pid = os.fork()
        if pid == 0:
            code = 1
            errors = os.open(f"{run_dir}.error", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            faulthandler.dump_traceback_later(TIMEOUT_S - 5)
            try:
                if workers > 1:
                    os.environ |= {**group, "RANK": str(rank), "LOCAL_RANK": str(rank)}
                if rank == 0:
                    prepare()
                train(Run(run_dir), recipe, dataset, device="cpu", hooks=[progress])
                code = 0
            except CnnMnistError as error:
                os.write(errors, str(error).encode())
                code = error.exit_code
            except BaseException as error:
                print(f"rank {rank}: {type(error).__name__}: {error}", file=sys.stderr)
            finally:
                os._exit(code)
        pids.append(pid)
    return Training(pids, progress)


def final_hashes(run_dir: Path, steps: int = RECIPE.steps) -> tuple[str, str]:
    """Return the SHA-256 of the weights and of the optimizer's state after the last step."""
    folder = Run(run_dir).checkpoints / f"step-{steps:08d}"
    return sha256(folder / "model.safetensors"), sha256(folder / "optimizer.safetensors")


def undisturbed_hashes(run_dir: Path, dataset: Dataset, *, workers: int = 1) -> tuple[str, str]:
    """Train a run without a fault and return its `final_hashes`."""
    codes = start_training(run_dir, dataset, workers=workers).wait()
    if any(codes):
        raise RuntimeError(f"the undisturbed run ended with {codes}")
    return final_hashes(run_dir)


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])
