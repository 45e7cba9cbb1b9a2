"""Record a function of tensors as a CUDA graph, which launches all of its kernels at once.

A step of a small network is so many short kernels that starting them one by one takes the host
longer than the GPU needs to run them. Source: PyTorch's notes on CUDA graphs, "Whole-network
capture".
"""

import warnings
from collections.abc import Callable
from typing import TypeAlias

import torch

Tensors: TypeAlias = tuple[torch.Tensor, ...]
Function: TypeAlias = Callable[..., Tensors]

_WARM_UP = 3
"""Calls before the recording, in which the libraries choose their kernels and allocate memory."""


class Recorder:
    """Call a function a few times as it is, record it, and replay it from then on.

    What the function changes around it - weights, an optimizer's state - must stay the same
    tensors, and it must not wait for the device. Its random numbers come from torch's own
    generator of the device, whose seed is read anew in each replay.
    """

    def __init__(self) -> None:
        self._calls = 0
        self._inputs: Tensors = ()
        self._replay: Callable[[], Tensors] | None = None

    def call(self, function: Function, *inputs: torch.Tensor) -> Tensors:
        """Return what the function gives for these inputs; both must be the same kind in all calls.

        The returned tensors belong to the caller.
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
        """Call the function on a side stream, as the recording requires."""
        main, side = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(main)
        with torch.cuda.stream(side), warnings.catch_warnings():
            # an optimizer that can be recorded complains of every step that is not
            warnings.filterwarnings("ignore", "This instance was constructed with capturable")
            outputs = function(*inputs)
        main.wait_stream(side)
        for value in outputs:
            value.record_stream(main)
        return outputs

    def record(self, function: Function, inputs: Tensors) -> Callable[[], Tensors]:
        """Record the function on these inputs without computing, and return what computes it."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = function(*inputs)

        def replay() -> Tensors:
            graph.replay()
            return outputs

        return replay
