"""A function of tensors recorded as a CUDA graph: all of its kernels are launched at once.

A step of a small network is so many short kernels that starting them one by one takes a GPU's host
longer than they run. Source: PyTorch's notes on CUDA graphs, "Whole-network capture".
"""

from collections.abc import Callable
from typing import TypeAlias

import torch

Function: TypeAlias = Callable[..., tuple[torch.Tensor, ...]]

_WARM_UP = 3
"""Calls before the recording, in which the libraries choose their kernels and take their memory."""


class Recorded:
    """A function that is called as it is a few times, recorded, and replayed from then on.

    What the function changes around it - weights, an optimizer's state - must stay the same
    tensors, and it must not wait for the device. Its random numbers come from torch's own
    generator of the device, whose seed is looked at anew in each replay.

    Args:
        function: tensors to tensors, of the same shapes in every call.
    """

    def __init__(self, function: Function) -> None:
        self._function = function
        self._calls = 0
        self._inputs: tuple[torch.Tensor, ...] = ()
        self._replay: Callable[[], tuple[torch.Tensor, ...]] | None = None

    def __call__(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What the function gives for these inputs; the caller's own tensors."""
        self._calls += 1
        if self._calls <= _WARM_UP:
            return self.warm_up(inputs)
        if self._replay is None:
            self._inputs = tuple(value.clone() for value in inputs)
            self._replay = self.record()
        for place, value in zip(self._inputs, inputs, strict=True):
            place.copy_(value)
        return tuple(value.clone() for value in self._replay())

    def warm_up(self, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Call the function beside the stream that the recording must not disturb."""
        own, beside = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        beside.wait_stream(own)
        with torch.cuda.stream(beside):
            outputs = self._function(*inputs)
        own.wait_stream(beside)
        return outputs

    def record(self) -> Callable[[], tuple[torch.Tensor, ...]]:
        """Record the function on `_inputs`, without computing; what computes it."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = self._function(*self._inputs)

        def replay() -> tuple[torch.Tensor, ...]:
            graph.replay()
            return outputs

        return replay
