"""Keep what an optimizer knows of each parameter in a checkpoint, and put it back.

Whatever the optimizer: its state after loading is what it was, in the same memory order, so that
the next step is the same, bit for bit.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from cnn_mnist.errors import RecipeError, RunError


def state_of(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the optimizer's state as tensors by `PARAMETER/KEY`; a number becomes a tensor `()`.

    Raises:
        RecipeError: the optimizer keeps something else than tensors and numbers.
    """
    return {
        f"{name}/{key}": _as_tensor(key, value)
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def load_state(
    optimizer: torch.optim.Optimizer, model: nn.Module, tensors: Mapping[str, torch.Tensor]
) -> None:
    """Load what `state_of` returned for a network and optimizer of the same kind.

    A parameter of which nothing was kept never had a gradient.

    Raises:
        RunError: a tensor is missing, or does not fit its parameter; nothing was loaded.
    """
    if not tensors:
        return
    make_state(optimizer, model)
    expected = state_of(optimizer, model)
    states = {name: optimizer.state[parameter] for name, parameter in model.named_parameters()}
    kept = {_owner(path) for path in tensors}
    try:
        _require_fit(
            tensors, {path: value for path, value in expected.items() if _owner(path) in kept}
        )
    except RunError:
        for state in states.values():
            state.clear()
        raise
    for name, state in states.items():
        if name not in kept:
            state.clear()
        for key, value in state.items():
            new = tensors[f"{name}/{key}"]
            if isinstance(value, torch.Tensor):
                value.copy_(new)  # in the memory order in which it was made
            else:
                state[key] = type(value)(new.item())


def _owner(path: str) -> str:
    """Return the parameter of `PARAMETER/KEY`."""
    return path.rpartition("/")[0]


def _require_fit(tensors: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> None:
    """Raise `RunError` where a tensor is missing, of another shape or dtype, or too many."""
    for path, value in tensors.items():
        place = expected.get(path)
        if place is None or (value.shape, value.dtype) != (place.shape, place.dtype):
            raise RunError(f"the checkpoint's optimizer state {path!r} fits no parameter")
    if missing := expected.keys() - tensors.keys():
        raise RunError(f"the checkpoint lacks the optimizer state {min(missing)!r}")


def make_state(optimizer: torch.optim.Optimizer, model: nn.Module) -> None:
    """Have an optimizer make its state, by a step on gradients of zero; the weights stay."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    weights = [parameter.detach().clone() for parameter in parameters]
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    with warnings.catch_warnings():
        # one that can be recorded as a CUDA graph complains of every step that is not
        warnings.filterwarnings("ignore", "This instance was constructed with capturable")
        optimizer.step()
    with torch.no_grad():
        for parameter, before in zip(parameters, weights, strict=True):
            parameter.copy_(before)
            parameter.grad = None


def _as_tensor(key: str, value: Any) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value.contiguous()
    if isinstance(value, bool | int | float):
        return torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else None)
    raise RecipeError(
        f"the optimizer keeps {key!r} as {type(value).__name__}, which a checkpoint cannot hold: "
        "expected tensors and numbers"
    )
