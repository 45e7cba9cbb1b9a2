"""Build a recipe's optimizer.

An optimizer is a class of `torch.optim`, or of the user's own of the same form; or a function
`(model, recipe, learning_rate) -> torch.optim.Optimizer`. Where a step can be recorded as a CUDA
graph, the learning rate is a tensor on the device.
"""

from collections.abc import Callable, Collection
from inspect import signature
from typing import Any, Final, TypeAlias

import torch
from torch import nn

from cnn_mnist.errors import RecipeError, first_line
from cnn_mnist.recipe import Recipe
from cnn_mnist.registry import Registry
from cnn_mnist.training.muon import MuonWithAdamW
from cnn_mnist.training.optimizer_state import make_state, state_of

LearningRate: TypeAlias = float | torch.Tensor
Optimizer: TypeAlias = (
    Callable[[nn.Module, Recipe, LearningRate], torch.optim.Optimizer] | type[torch.optim.Optimizer]
)

OPTIMIZERS: Final[Registry[Optimizer]] = Registry("optimizer", __name__)

_RECORDED: Final = ("adam", "sgd")
"""Those whose step can be recorded as a CUDA graph: fused, and never waiting for the device."""
_UNUSABLE: Final = ("LBFGS", "SparseAdam")
"""Classes of torch's that `require_usable_optimizer` refuses: they need a closure, or gradients
that are sparse."""
_NOT_OPTIONS: Final = {
    "params": "the network's parameters",
    "capturable": "decided by the device",
    "lr": "the field learning_rate",
    "betas": "the fields beta1 and beta2",
    "momentum": "the field momentum",
    "nesterov": "the field nesterov",
    "weight_decay": "the field weight_decay",
}
"""What decides those arguments of an optimizer that are not options."""


@OPTIMIZERS.register("sgd")
def sgd(model: nn.Module, recipe: Recipe, learning_rate: LearningRate) -> torch.optim.Optimizer:
    """Build stochastic gradient descent; momentum, Nesterov's and weight decay are the recipe's."""
    return _of_class(torch.optim.SGD, model, recipe, learning_rate, fused=True)


@OPTIMIZERS.register("adam")
def adam(model: nn.Module, recipe: Recipe, learning_rate: LearningRate) -> torch.optim.Optimizer:
    """Build AdamW, which is Adam where the recipe's weight decay is 0."""
    capturable = isinstance(learning_rate, torch.Tensor)
    return _of_class(
        torch.optim.AdamW, model, recipe, learning_rate, fused=True, capturable=capturable
    )


@OPTIMIZERS.register("muon")
def muon(model: nn.Module, recipe: Recipe, learning_rate: LearningRate) -> torch.optim.Optimizer:
    """Build Muon for kernels and matrices, and AdamW for the rest: biases, scales, the logits.

    The logits are the last matrix. Unless `optimizer_options.adjust_lr_fn` says otherwise, Muon's
    updates are scaled to the size of AdamW's, so that both take the same learning rate. The options
    are Muon's.
    """
    _refuse_unused(recipe, ("weight_decay",))
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1][:-1]
    chosen = set(matrices)
    others = [parameter for parameter in model.parameters() if parameter not in chosen]
    if not matrices:
        raise RecipeError(
            f"optimizer 'muon': the network {recipe.network} has no matrix but that of its logits: "
            "use adam"
        )
    options = {"adjust_lr_fn": "match_rms_adamw"} | _options(recipe, ("weight_decay",))
    betas = recipe.beta1, recipe.beta2
    return MuonWithAdamW(
        matrices,
        others,
        float(learning_rate),
        muon=options | {"weight_decay": recipe.weight_decay},
        adamw={"betas": betas, "weight_decay": recipe.weight_decay, "fused": True},
    )


_TORCHS: Final[dict[str, type[torch.optim.Optimizer]]] = {
    name: kind
    for name, kind in vars(torch.optim).items()
    if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)
}
for _name in _TORCHS.keys() - {"Optimizer", "Muon"}:
    OPTIMIZERS.register(_name, listed=_name not in _UNUSABLE)(_TORCHS[_name])
OPTIMIZERS.register("Muon")(muon)  # torch's own takes matrices only


def build_optimizer(recipe: Recipe, model: nn.Module, *, recorded: bool) -> torch.optim.Optimizer:
    """Build the optimizer of a recipe for all parameters of a network.

    Args:
        recipe: names the optimizer, and has its settings.
        model: the network.
        recorded: whether its step will be recorded as a CUDA graph, see `can_be_recorded`.

    Raises:
        RecipeError: no optimizer has the recipe's name, or it does not take the recipe's settings.
    """
    rate: LearningRate = recipe.learning_rate
    if recorded:
        rate = torch.tensor(rate, device=next(model.parameters()).device)
    make = OPTIMIZERS.get(recipe.optimizer)
    try:
        if isinstance(make, type):
            optimizer: object = _of_class(make, model, recipe, rate)
        else:
            optimizer = make(model, recipe, rate)
    except RecipeError:
        raise
    except Exception as error:  # each optimizer has its own way to refuse an argument
        options = f" with {recipe.optimizer_options}" if recipe.optimizer_options else ""
        raise RecipeError(
            f"optimizer {recipe.optimizer!r} cannot be made{options}: {first_line(error)}"
        ) from error
    if not isinstance(optimizer, torch.optim.Optimizer):
        kind = type(optimizer).__name__
        raise RecipeError(f"optimizer {recipe.optimizer!r} gave {kind}: expected a torch optimizer")
    return optimizer


def can_be_recorded(recipe: Recipe) -> bool:
    """Return whether a step of the recipe's optimizer can be recorded as a CUDA graph."""
    return recipe.optimizer in _RECORDED and not {"fused", "foreach"} & set(
        recipe.optimizer_options
    )


def require_usable_optimizer(recipe: Recipe) -> None:
    """Raise `RecipeError` where a recipe's optimizer cannot be made or cannot take a step.

    It is tried on a small network, before anything is written.
    """
    sizes = {"kernel": (2, 1, 2, 2), "bias": (2,), "logits": (2, 2)}
    model = nn.ParameterDict({name: torch.zeros(size) for name, size in sizes.items()})
    optimizer = build_optimizer(recipe, model, recorded=False)
    try:
        make_state(optimizer, model)
    except Exception as error:
        raise RecipeError(
            f"optimizer {recipe.optimizer!r} cannot be used here, where a step has no closure and "
            f"gradients are dense: {first_line(error)}"
        ) from error
    state_of(optimizer, model)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every parameter group, in place where it is a tensor."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def _of_class(
    kind: Callable[..., torch.optim.Optimizer],
    model: nn.Module,
    recipe: Recipe,
    learning_rate: LearningRate,
    **fixed: Any,
) -> torch.optim.Optimizer:
    """Build an optimizer of a class of the form of torch's, with what of the recipe it takes."""
    takes = signature(kind).parameters
    _refuse_unused(recipe, takes)
    settings = {
        "betas": (recipe.beta1, recipe.beta2),
        "momentum": recipe.momentum,
        "nesterov": recipe.nesterov,
        "weight_decay": recipe.weight_decay,
    }
    taken = {name: value for name, value in settings.items() if name in takes}
    return kind(model.parameters(), lr=learning_rate, **taken | fixed | _options(recipe, taken))


def _refuse_unused(recipe: Recipe, takes: Collection[str]) -> None:
    """Raise `RecipeError` for a setting of the recipe that its optimizer would not use."""
    for field in ("momentum", "nesterov", "weight_decay"):
        if (value := getattr(recipe, field)) and field not in takes:
            raise RecipeError(
                f"recipe field {field}={value}: the optimizer {recipe.optimizer} has none: set "
                "another, such as sgd"
            )


def _options(recipe: Recipe, taken: Collection[str]) -> dict[str, Any]:
    """Return the recipe's options for the optimizer, lists as tuples, as torch has them.

    Raises:
        RecipeError: an option is something that the recipe has a field for, see `taken`.
    """
    for name in recipe.optimizer_options:
        if name in ("params", "capturable", "lr", *taken):
            is_ = _NOT_OPTIONS[name]
            raise RecipeError(f"optimizer_options.{name} is not an option: it is {is_}")
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in recipe.optimizer_options.items()
    }
