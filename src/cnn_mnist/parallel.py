"""The processes that train one network together, and what they tell each other.

Each has the whole network and computes the gradient of its share of every batch; the gradients are
added, so that all take the same step. It is torch.distributed, started by torchrun or by
`cnn-mnist train --workers N` and joined as the environment says. A process on its own is a group of
one: nothing is joined, and nothing said.

Nothing is pickled: what goes from one process to another is numbers and bytes.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from cnn_mnist.errors import WorkerLostError

_PARENT_LOOK_S: Final = 0.5
_LETTING_GO_S: Final = 0.1
_PATIENCE: Final = timedelta(minutes=2)
"""How long a process waits for another: far more than the first takes for a checkpoint and its look
at the validation images, in which the others wait."""
_CONNECTING: Final = timedelta(seconds=5)
"""A fifth of the time in which processes that are all there must have found each other."""
_ATTEMPTS: Final = 3


@dataclass(frozen=True)
class Group:
    """The processes that train together, as one of them sees them."""

    rank: int = 0
    """This process's number, from 0."""
    size: int = 1
    """How many there are."""
    local_rank: int = 0
    """This process's number on its machine: which GPU it takes."""

    @classmethod
    def of_environment(cls) -> "Group":
        """The group that torchrun has started this process in; of one where it has not."""
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            return cls()
        numbers = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
        return cls(*numbers)

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and shows."""
        return self.rank == 0

    def share(self, length: int) -> slice:
        """This process's part of a batch of `length`; no two parts differ by more than one."""
        return slice(length * self.rank // self.size, length * (self.rank + 1) // self.size)

    def replicate(self, model: nn.Module) -> nn.Module:
        """The model as it is called in training: the gradients become the means over the group.

        Normalisations take the statistics of each process's own share (torch can only take them
        over the group on GPUs); those kept for use are the first process's.
        """
        if self.size == 1:
            return model
        replica = DistributedDataParallel(model)
        # After the first pass the gradients are laid out anew for their sums. Done before the first
        # step, every step adds in the same order, that of a resumed run too.
        model.eval()
        device = next(model.parameters()).device
        replica(torch.zeros(1, 1, 28, 28, device=device)).sum().backward()
        model.zero_grad(set_to_none=True)
        model.train()
        return replica

    def largest(self, value: int) -> int:
        """The largest of all processes' values."""
        if self.size == 1:
            return value
        values = torch.tensor(value)
        dist.all_reduce(values, dist.ReduceOp.MAX)
        return int(values)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """The means of all processes' values, place by place."""
        return self.total(values) / self.size

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sums of all processes' values, place by place."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values)
        return values

    def of_first(self, content: bytes) -> bytes:
        """The first process's bytes; what the others give is not looked at."""
        if self.size == 1:
            return content
        length = torch.tensor(len(content))
        dist.broadcast(length, src=0)
        if not length:
            return b""
        if not self.first:
            content = bytes(int(length))
        values = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        dist.broadcast(values, src=0)
        return values.numpy().tobytes()


@contextmanager
def joined(device: torch.device, group: Group) -> Iterator[None]:
    """Join the group for as long as the block lasts.

    Raises:
        WorkerLostError: another process of the group cannot be reached (any more).
    """
    if group.size == 1:
        yield
        return
    _stop_with_parent()
    try:
        _connect("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
        yield
    except RuntimeError as error:
        # gloo has no class of its own
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            raise WorkerLostError(
                "another worker has ended or cannot be reached: train again to go on from the "
                "last checkpoint"
            ) from error
        raise
    finally:
        if dist.is_initialized():
            # gloo's threads need the interpreter to let go of the last results, and the group's
            # end waits for them without giving it away: let them be done before
            time.sleep(_LETTING_GO_S)
            dist.destroy_process_group()


def _connect(backend: str) -> None:
    """Join the others, and try again where processes have missed each other.

    Once in a while, above all after a restart on a busy machine, gloo loses a connection while it
    is made, and both sides wait five times the timeout (https://github.com/pytorch/gloo/issues/520).
    """
    store, rank, size = next(rendezvous("env://", timeout=_PATIENCE))
    store.set(f"here/{rank}", "")
    store.wait([f"here/{other}" for other in range(size)], _PATIENCE)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            dist.init_process_group(
                backend,
                store=dist.PrefixStore(f"attempt/{attempt}", store),  # type: ignore[attr-defined]
                rank=rank,
                world_size=size,
                timeout=_CONNECTING,
            )
            break
        except RuntimeError:
            if attempt == _ATTEMPTS:
                raise
    dist.distributed_c10d._set_pg_timeout(_PATIENCE)


def _stop_with_parent() -> None:
    """Have this process stop, as by SIGTERM, when the one that started it is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_LOOK_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="watches the parent").start()
