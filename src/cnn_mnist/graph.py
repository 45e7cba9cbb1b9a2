"""A function of tensors recorded as a CUDA graph: all of its kernels are launched at once.

A step of a small network is so many short kernels that starting them one by one takes a GPU's host
longer than they run. Source: PyTorch's notes on CUDA graphs, "Whole-network capture".
"""

import warnings
from collections.abc import Callable
from typing import TypeAlias

import torch

Tensors: TypeAlias = tuple[torch.Tensor, ...]
Function: TypeAlias = Callable[..., Tensors]

_WARM_UP = 3
"""Calls before the recording, in which the libraries choose their kernels and take their memory."""


class Recorder:
    """Calls a function as it is a few times, records it, and replays it from then on.

    What the function changes around it - weights, an optimizer's state - must stay the same
    tensors, and it must not wait for the device. Its random numbers come from torch's own
    generator of the device, whose seed is looked at anew in each replay.
    """

    def __init__(self) -> None:
        self._calls = 0
        self._inputs: Tensors = ()
        self._replay: Callable[[], Tensors] | None = None

    def call(self, function: Function, *inputs: torch.Tensor) -> Tensors:
        """What the function, the same in all calls, gives for these inputs of always one shape.

        The tensors it returns are the caller's own.
        """
        self._calls += 1
        if self._calls <= _WARM_UP:
            return self.warm_up(function, inputs)
        if self._replay is None:
            self._inputs = tuple(value.clone() for value in inputs)
            self._replay = self.record(function, self._inputs)
        else:
            for place, value in zip(self._inputs, inputs, strict=True):
                place.copy_(value)
        return tuple(value.clone() for value in self._replay())

    def warm_up(self, function: Function, inputs: Tensors) -> Tensors:
        """Call the function beside the stream that the recording must not disturb."""
        own, beside = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        beside.wait_stream(own)
        with torch.cuda.stream(beside), warnings.catch_warnings():
            # an optimizer that can be recorded complains of every step that is not
            warnings.filterwarnings("ignore", "This instance was constructed with capturable")
            outputs = function(*inputs)
        own.wait_stream(beside)
        for value in outputs:
            value.record_stream(own)
        return outputs

    def record(self, function: Function, inputs: Tensors) -> Callable[[], Tensors]:
        """Record the function on these inputs, without computing; what computes it."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = function(*inputs)

        def replay() -> Tensors:
            graph.replay()
            return outputs

        return replay
