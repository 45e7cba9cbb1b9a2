"""Let several processes train one network together (torch.distributed).

Each process has the whole network and computes the gradient of its share of every batch; the
gradients are averaged, so that all take the same step. The processes are started by torchrun or by
`cnn-mnist train --workers N` and find each other through their environment. A process on its own
is a group of one, in which no communication takes place.

Nothing is pickled: only numbers and bytes pass between processes.
"""

import os
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

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.errors import WorkerLostError
from cnn_mnist.networks.eval_mode import in_eval_mode
from cnn_mnist.training.signals import stop_with_parent

_CLOSING_S: Final = 0.1
_TIMEOUT: Final = timedelta(minutes=2)
"""How long a process waits for another: far longer than a checkpoint and a validation pass of the
main process take, during which the others wait."""
_CONNECT_TIMEOUT: Final = timedelta(seconds=5)
"""A fifth of the time in which processes that have all started must be connected."""
_ATTEMPTS: Final = 3


@dataclass(frozen=True)
class Group:
    """The processes that train together, as one of them sees them."""

    rank: int = 0
    """This process's number, from 0."""
    size: int = 1
    """How many there are."""
    local_rank: int = 0
    """This process's number on its machine, which is also that of its GPU."""

    @classmethod
    def of_environment(cls) -> "Group":
        """Return the group that torchrun has started this process in, or a group of one."""
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            return cls()
        numbers = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
        return cls(*numbers)

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes files and shows progress."""
        return self.rank == 0

    def share(self, length: int) -> slice:
        """Return this process's part of a batch; no two parts differ by more than one image."""
        return slice(length * self.rank // self.size, length * (self.rank + 1) // self.size)

    def replicate(self, model: nn.Module) -> nn.Module:
        """Wrap a model so that its gradients become the means over the group.

        Batch normalisation uses the statistics of each process's own share (torch can compute them
        over the group only on GPUs); the running ones that are kept are the main process's.
        """
        if self.size == 1:
            return model
        replica = DistributedDataParallel(model)
        # After the first pass DDP regroups the gradients that it sums together. With this pass done
        # before the first step, every step adds in the same order, also in a resumed run.
        device = next(model.parameters()).device
        with in_eval_mode(model):
            replica(torch.zeros(1, 1, IMAGE_SIZE, IMAGE_SIZE, device=device)).sum().backward()
        model.zero_grad(set_to_none=True)
        return replica

    def all_reduce_max(self, value: int) -> int:
        """Return the largest of all processes' values."""
        if self.size == 1:
            return value
        values = torch.tensor(value)
        dist.all_reduce(values, dist.ReduceOp.MAX)
        return int(values)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Return the element-wise means of all processes' values."""
        return self.all_reduce_sum(values) / self.size

    def all_reduce_sum(self, values: torch.Tensor) -> torch.Tensor:
        """Return the element-wise sums of all processes' values."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values)
        return values

    def broadcast(self, content: bytes) -> bytes:
        """Return the main process's bytes in every process; those of the others are ignored."""
        if self.size == 1:
            return content
        length = torch.tensor(len(content))
        dist.broadcast(length, src=0)
        if not length:
            return b""
        if not self.is_main:
            content = bytes(int(length))
        values = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        dist.broadcast(values, src=0)
        return values.numpy().tobytes()


@contextmanager
def process_group(device: torch.device, group: Group) -> Iterator[None]:
    """Connect the processes of a group for the duration of the block.

    Raises:
        WorkerLostError: another process of the group cannot be reached (any more).
    """
    if group.size == 1:
        yield
        return
    stop_with_parent()
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
            # gloo's threads need the interpreter lock to release the last results, and destroying
            # the group waits for them while holding it: give them time first
            time.sleep(_CLOSING_S)
            dist.destroy_process_group()


def _connect(backend: str) -> None:
    """Connect to the other processes, with some attempts.

    Occasionally, above all after a restart on a busy machine, gloo loses a connection while it is
    made, and both sides wait five times the timeout (https://github.com/pytorch/gloo/issues/520).
    """
    store, rank, size = next(rendezvous("env://", timeout=_TIMEOUT))
    store.set(f"here/{rank}", "")
    store.wait([f"here/{other}" for other in range(size)], _TIMEOUT)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            dist.init_process_group(
                backend,
                store=dist.PrefixStore(f"attempt/{attempt}", store),  # type: ignore[attr-defined]
                rank=rank,
                world_size=size,
                timeout=_CONNECT_TIMEOUT,
            )
            break
        except RuntimeError:
            if attempt == _ATTEMPTS:
                raise
    dist.distributed_c10d._set_pg_timeout(_TIMEOUT)
