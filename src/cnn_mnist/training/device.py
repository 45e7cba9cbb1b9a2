"""Choose the device to compute on: a processor, an NVIDIA GPU (cuda) or Apple's GPU (mps)."""

from typing import Final

import torch

from cnn_mnist.errors import RunError
from cnn_mnist.training.distributed import Group

DEVICES: Final = ("auto", "cpu", "cuda", "mps")


def automatic() -> str:
    """Return the name that `auto` stands for: the first of cuda, mps and cpu that there is."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def choose_device(name: str, group: Group) -> torch.device:
    """Return the device of a name; on CUDA the GPU of this process's number on its machine.

    Args:
        name: `cpu`, `cuda`, `mps`, or `auto`, see `automatic`. Several processes cannot share
            Apple's GPU: for them `auto` is the CPU there.
        group: the processes that train together.

    Raises:
        RunError: the name is unknown, or there is no such device (left).
    """
    if name == "auto":
        name = automatic()
        name = "cpu" if name == "mps" and group.size > 1 else name
    if name not in DEVICES:
        raise RunError(f"no device is called {name!r}: expected {', '.join(DEVICES)}")
    if name == "mps":
        return _mps(group)
    if name == "cuda" and not torch.cuda.is_available():
        raise RunError("torch finds no CUDA device: use --device cpu, or install a CUDA build")
    if name == "cuda" and group.local_rank >= (gpus := torch.cuda.device_count()):
        raise RunError(
            f"worker {group.rank} needs a GPU of its own, but there are only {gpus}: "
            "start fewer workers"
        )
    return torch.device(f"cuda:{group.local_rank}" if name == "cuda" else name)


def _mps(group: Group) -> torch.device:
    """Return Apple's GPU, for a process that trains alone."""
    if not torch.backends.mps.is_available():
        raise RunError("torch finds no Apple GPU (mps): use --device cpu")
    if group.size > 1:
        raise RunError(
            f"{group.size} workers cannot share Apple's GPU: start one, or use --device cpu"
        )
    return torch.device("mps")
