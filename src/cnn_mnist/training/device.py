"""Choose the device to compute on."""

from typing import Final

import torch

from cnn_mnist.errors import RunError
from cnn_mnist.training.distributed import Group

DEVICES: Final = ("auto", "cpu", "cuda")


def choose_device(name: str, group: Group) -> torch.device:
    """Return the device of a name; on CUDA the GPU of this process's number on its machine.

    Args:
        name: `cpu`, `cuda`, or `auto` (cuda where there is a GPU).
        group: the processes that train together.

    Raises:
        RunError: the name is unknown, or there is no such device (left).
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in DEVICES:
        raise RunError(f"no device is called {name!r}: expected {', '.join(DEVICES)}")
    if name == "cuda" and not torch.cuda.is_available():
        raise RunError("torch finds no CUDA device: use --device cpu, or install a CUDA build")
    if name == "cuda" and group.local_rank >= (gpus := torch.cuda.device_count()):
        raise RunError(
            f"worker {group.rank} needs a GPU of its own, but there are only {gpus}: "
            "start fewer workers"
        )
    return torch.device(f"cuda:{group.local_rank}" if name == "cuda" else name)
