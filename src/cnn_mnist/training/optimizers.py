"""Build a recipe's optimizer.

An optimizer is a function `(parameters, recipe, learning_rate, *, capturable) -> Optimizer`, where
`capturable` asks for one whose step can be recorded as a CUDA graph: its learning rate is then a
tensor on the device.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

import torch
from torch import nn

from cnn_mnist.errors import RunError
from cnn_mnist.recipe import Recipe
from cnn_mnist.registry import Registry

Optimizer: TypeAlias = Callable[..., torch.optim.Optimizer]

OPTIMIZERS: Final[Registry[Optimizer]] = Registry("optimizer", __name__)


@OPTIMIZERS.register("sgd")
def sgd(
    parameters: Iterable[nn.Parameter],
    recipe: Recipe,
    learning_rate: float | torch.Tensor,
    *,
    capturable: bool,
) -> torch.optim.Optimizer:
    """Build plain stochastic gradient descent: no momentum, no weight decay."""
    return torch.optim.SGD(parameters, lr=learning_rate, fused=True)


@OPTIMIZERS.register("adam")
def adam(
    parameters: Iterable[nn.Parameter],
    recipe: Recipe,
    learning_rate: float | torch.Tensor,
    *,
    capturable: bool,
) -> torch.optim.Optimizer:
    """Build AdamW, which is Adam where the recipe's weight decay is 0."""
    return torch.optim.AdamW(
        parameters,
        lr=learning_rate,
        betas=(recipe.beta1, recipe.beta2),
        weight_decay=recipe.weight_decay,
        fused=True,
        capturable=capturable,
    )


def build_optimizer(recipe: Recipe, model: nn.Module, *, capturable: bool) -> torch.optim.Optimizer:
    """Build the optimizer of a recipe for all parameters of a network.

    Raises:
        RecipeError: no optimizer has the recipe's name.
    """
    rate: float | torch.Tensor = recipe.learning_rate
    if capturable:
        rate = torch.tensor(rate, device=next(model.parameters()).device)
    make = OPTIMIZERS.get(recipe.optimizer)
    return make(model.parameters(), recipe, rate, capturable=capturable)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every parameter group, in place where it is a tensor."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def state_of(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the optimizer's state as tensors by `PARAMETER/KEY`."""
    return {
        f"{name}/{key}": value.contiguous()
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state[parameter].items()
    }


def load_state(
    optimizer: torch.optim.Optimizer,
    model: nn.Module,
    recipe: Recipe,
    tensors: Mapping[str, torch.Tensor],
) -> None:
    """Load what `state_of` returned for a network and recipe of the same kind.

    Raises:
        RunError: a tensor is missing, or does not fit its parameter.
    """
    parameters = dict(model.named_parameters())
    indices = {name: index for index, name in enumerate(parameters)}
    expected = {f"{name}/{key}" for name in parameters for key in _state_keys(recipe)}
    if tensors and (missing := expected - tensors.keys()):
        raise RunError(f"the checkpoint lacks the optimizer state {min(missing)!r}")
    state: dict[int, dict[str, torch.Tensor]] = {}
    for path, value in tensors.items():
        name, _, key = path.rpartition("/")
        shape = parameters[name].shape if key != "step" and name in parameters else ()
        if path not in expected or value.shape != shape or value.dtype != torch.float32:
            raise RunError(f"the checkpoint's optimizer state {path!r} fits no parameter")
        if value.ndim:  # in the parameter's own memory order, as when it was made
            value = torch.empty_like(parameters[name]).copy_(value)
        state.setdefault(indices[name], {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _state_keys(recipe: Recipe) -> list[str]:
    """Return the names of what the optimizer keeps of a parameter, by a step on a small one."""
    parameter = nn.Parameter(torch.zeros(1))
    parameter.grad = torch.zeros(1)
    optimizer = OPTIMIZERS.get(recipe.optimizer)([parameter], recipe, 0.0, capturable=False)
    optimizer.step()
    return list(optimizer.state[parameter])
