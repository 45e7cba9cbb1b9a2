"""Trainings whose processes are forked from this one: a life costs no imports, so many can end.

Each process of a life is killed, or fails, or does its work through; what it did is seen from
outside, in memory that it shares and in the run directory.
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
from cnn_mnist.hooks import Hook, Start, Step
from cnn_mnist.run import Identity, Run
from cnn_mnist.train import Trainer, train

from cnn_mnist.data.dataset import Dataset
from cnn_mnist.data.digits import load
from cnn_mnist.errors import CnnMnistError
from cnn_mnist.files import sha256
from cnn_mnist.recipe import Recipe

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
"""Everything that has a state or draws: dropout, Adam, augmentation, a schedule."""

PATIENCE_S = 600.0
"""A life that takes longer hangs."""

HUNG = 999


def digits() -> Dataset:
    """The data set of every life. torch is made ready to be forked, whole and with one thread."""
    torch.set_num_threads(1)
    dataset = load()
    Trainer(RECIPE, dataset.train, dataset.classes, seed=0, device="cpu")  # imports what it needs
    Identity.of(RECIPE, dataset, 0)  # its hash is kept in the data set
    return dataset


class Progress(Hook):
    """The first and the newest step of a life, in memory that its parent sees."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 16)
        self._write(-1, -1)

    def begin(self, start: Start) -> None:
        """Note where the life begins."""
        self._write(start.first_step, start.first_step)

    def after_step(self, step: Step) -> None:
        """Note how far it has come."""
        self._write(self.first, step.number)

    def _write(self, first: int, newest: int) -> None:
        self._shared[:] = struct.pack("<qq", first, newest)

    @property
    def first(self) -> int:
        """Steps that were done already when the life began."""
        return int(struct.unpack("<qq", self._shared[:])[0])

    @property
    def newest(self) -> int:
        """Steps done so far."""
        return int(struct.unpack("<qq", self._shared[:])[1])

    def reached(self, steps: int) -> bool:
        """Whether so many steps have been done since the beginning, or all there are."""
        return self.first >= 0 and self.newest >= min(self.first + steps, RECIPE.steps)


@dataclass
class Life:
    """A training in one process or several."""

    pids: list[int]
    progress: Progress

    def kill(self) -> None:
        """SIGKILL to all that are left."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids:
            os.kill(pid, number)

    def has_ended(self) -> bool:
        """Whether one of the processes has."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return any(os.waitid(os.P_PID, pid, options) is not None for pid in self.pids)

    def end(self) -> list[int]:
        """Wait for the end of all; their exit codes, -N where signal N ended one.

        Where one fails, the others get SIGTERM, as from torchrun's agent. Where the end does not
        come, all are killed, and one more code is `HUNG`.
        """
        codes: list[int] = []
        until = time.monotonic() + PATIENCE_S
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


def live(
    run_dir: Path,
    dataset: Dataset,
    *,
    workers: int = 1,
    recipe: Recipe = RECIPE,
    prepare: Callable[[], None] = lambda: None,
) -> Life:
    """Begin a life; `prepare` is called first in the process that writes."""
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
            said = os.open(f"{run_dir}.error", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            faulthandler.dump_traceback_later(PATIENCE_S - 5)
            try:
                if workers > 1:
                    os.environ |= {**group, "RANK": str(rank), "LOCAL_RANK": str(rank)}
                if rank == 0:
                    prepare()
                train(Run(run_dir), recipe, dataset, device="cpu", hooks=[progress])
                code = 0
            except CnnMnistError as error:
                os.write(said, str(error).encode())
                code = error.exit_code
            except BaseException as error:
                print(f"rank {rank}: {type(error).__name__}: {error}", file=sys.stderr)
            finally:
                os._exit(code)
        pids.append(pid)
    return Life(pids, progress)


def result(run_dir: Path, steps: int = RECIPE.steps) -> tuple[str, str]:
    """SHA-256 of the weights and of the optimizer's state after the last step."""
    folder = Run(run_dir).checkpoints / f"step-{steps:08d}"
    return sha256(folder / "model.safetensors"), sha256(folder / "optimizer.safetensors")


def undisturbed(run_dir: Path, dataset: Dataset, *, workers: int = 1) -> tuple[str, str]:
    """The result of a life that is left alone."""
    codes = live(run_dir, dataset, workers=workers).end()
    if any(codes):
        raise RuntimeError(f"the undisturbed run ended with {codes}")
    return result(run_dir)


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])
