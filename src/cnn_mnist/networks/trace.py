"""Follow images through a network layer by layer, however its layers are nested.

A layer is a module that calls no other module: `layer1.0.conv1` is one, the block `layer1.0` is
not. What a module computes itself between the layers that it calls, by functions or with parameters
of its own, is counted for that module.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.networks.custom_layers import Crop, GlobalPool
from cnn_mnist.networks.eval_mode import in_eval_mode
from cnn_mnist.networks.table import Layer

_WHOLE = "(network)"
"""What the network itself is called in its table."""
_NO_FLOPS: Final = (
    *(nn.Sequential, nn.Flatten, nn.ReLU, nn.Dropout, nn.MaxPool2d, nn.AvgPool2d),
    *(nn.BatchNorm1d, nn.BatchNorm2d, Crop, GlobalPool),
)
"""Kinds of modules that multiply nothing themselves."""


@dataclass(eq=False)
class _Call:
    """One call of a module."""

    name: str
    module: nn.Module
    begin: int
    """FLOPs of the network before the call."""
    is_layer: bool = True
    """Whether it calls no other module."""
    flops: int = 0
    """Without those of the modules that it calls."""
    output: torch.Tensor | None = None
    """The first tensor that it returns; None where there is none."""


def trace(model: nn.Module, images: torch.Tensor) -> list[tuple[str, nn.Module, torch.Tensor]]:
    """Record the output of each layer, without dropout, in the order in which images pass them.

    Args:
        model: stays as it is.
        images: `(B, 1, 28, 28) float32 in [0, 1]`, on the model's device.

    Returns:
        Name, layer and output `(B, ...)` of each layer that returns a tensor, as often as it is
        called; of several tensors the first.
    """
    return [
        (call.name, call.module, call.output)
        for call in _calls(model, images)
        if call.is_layer and call.output is not None
    ]


def layer_table(model: nn.Module) -> list[Layer]:
    """Return the table of a network's layers, in the order in which an image passes them.

    A module with parameters or FLOPs of its own has a row beside those of the layers that it calls.
    Each parameter is counted once, in the first row that has it.
    """
    table = []
    counted: set[nn.Parameter] = set()
    images = torch.zeros(1, 1, IMAGE_SIZE, IMAGE_SIZE)
    simple = all(type(module) in (*_NO_FLOPS, nn.Conv2d, nn.Linear) for module in model.modules())
    if simple:  # torch needs two seconds to load its counter
        calls = _calls(model, images)
    else:
        with _countable():
            calls = _calls(model, images, FlopCounterMode(display=False, custom_mapping=_LSTM))
    called = {call.module for call in calls}
    for call in calls:
        own = set(_own_parameters(call.module, called)) - counted
        counted |= own
        if not (call.is_layer or own or call.flops):
            continue
        table.append(
            Layer(
                name=call.name,
                kind=type(call.module).__name__,
                output=() if call.output is None else tuple(call.output.shape[1:]),
                parameters=sum(parameter.numel() for parameter in own),
                flops=_flops(call) if simple else call.flops,
            )
        )
    return table


def _own_parameters(module: nn.Module, called: set[nn.Module]) -> Iterator[nn.Parameter]:
    """Yield the parameters of a module, with those of modules in it that are never called."""
    yield from module.parameters(recurse=False)
    for child in module.children():
        if child not in called:
            yield from _own_parameters(child, called)


def _calls(
    model: nn.Module, images: torch.Tensor, counter: FlopCounterMode | None = None
) -> list[_Call]:
    """Pass images through a network, and return the calls of its modules in the order they end."""
    done: list[_Call] = []
    open_: list[_Call] = []
    # an nn.Identity is not a layer: timm's networks have dozens of them as places for others
    names = {each: name for name, each in model.named_modules() if type(each) is not nn.Identity}

    def begin(module: nn.Module, inputs: Any) -> None:
        if open_:
            open_[-1].is_layer = False
        before = counter.get_total_flops() if counter else 0
        open_.append(_Call(names[module] or _WHOLE, module, before))

    def end(module: nn.Module, inputs: Any, output: Any) -> None:
        call = open_.pop()
        call.output = _first_tensor(output)
        done.append(call)
        if counter:
            whole = counter.get_total_flops() - call.begin
            call.flops += whole
            if open_:
                open_[-1].flops -= whole

    with ExitStack() as stack:
        for module in names:
            stack.callback(module.register_forward_pre_hook(begin).remove)
            stack.callback(module.register_forward_hook(end).remove)
        stack.enter_context(in_eval_mode(model))
        stack.enter_context(torch.no_grad())
        if counter:
            stack.enter_context(counter)
        model(images)
    return done


def _flops(call: _Call) -> int:
    """Return the FLOPs of one of the simple kinds of modules."""
    if not isinstance(call.module, nn.Conv2d | nn.Linear) or call.output is None:
        return 0
    products = call.module.weight[0].numel()  # for one output; the bias makes up the missing sum
    return 2 * products * call.output.numel()


def _lstm_flops(inputs: Any, weights: Any, recurrent: Any, *_: Any, **__: Any) -> int:
    """Return the FLOPs of an LSTM, from the shapes `(T, B, in)`, `(4 H, in)` and `(4 H, H)`."""
    products: int = inputs[0] * inputs[1] * weights[0] * (weights[1] + recurrent[1])
    return 2 * products


_LSTM: Final = {torch.ops.aten.mkldnn_rnn_layer: _lstm_flops}
"""What torch's counter does not know."""


@contextmanager
def _countable() -> Iterator[None]:
    """Have torch compute by operations whose FLOPs its counter knows, not by fused ones."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _first_tensor(output: Any) -> torch.Tensor | None:
    """Return an output that is a tensor, or the first tensor of several outputs."""
    if isinstance(output, dict):
        output = tuple(output.values())
    if isinstance(output, tuple | list):
        found = (tensor for item in output if (tensor := _first_tensor(item)) is not None)
        return next(found, None)
    return output if isinstance(output, torch.Tensor) and output.ndim else None
