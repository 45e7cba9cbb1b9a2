"""Build a user's own network as his function returns it, and check what it returned.

It keeps its own initialisation, drawn from the run's seed, and its own memory format.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.parameter import is_lazy

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.errors import CnnMnistWarning, RecipeError, first_line
from cnn_mnist.networks.eval_mode import in_eval_mode
from cnn_mnist.networks.registry import NETWORKS

_EXPECTED: Final = (
    "expected a function (classes, *, dropout) that returns a torch.nn.Module, from images "
    "(B, 1, 28, 28) to logits (B, classes)"
)


def build_own(name: str, classes: int, *, dropout: float, seed: int | None) -> nn.Module:
    """Build a network of the user's own; torch's generator stays as it was.

    Args:
        name: its name in `NETWORKS`.
        classes: the number of logits.
        dropout: what the function gets.
        seed: of the first weights; None draws any.

    Raises:
        RecipeError: the function fails, or gives something else than a network from images
            `(B, 1, 28, 28)` to logits `(B, classes) float32` whose state can be stored.
    """
    make = NETWORKS.get(name)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Lazy modules are a new feature")
        if seed is not None:
            torch.manual_seed(seed)
        try:
            model = make(classes, dropout=dropout)
        except Exception as error:  # whatever the user's function raises
            raise RecipeError(
                f"network {name} cannot be made: {_reason(error)}: {_EXPECTED}"
            ) from error
        if not isinstance(model, nn.Module):
            raise RecipeError(f"network {name} is a {type(model).__name__}: {_EXPECTED}")
        _require_logits(name, model, classes)  # lazily shaped layers get their weights here
    _require_storable(name, model)
    return model


def require_trainable(name: str, classes: int, *, dropout: float, workers: int) -> None:
    """Raise `RecipeError` where a user's own network cannot do a training step.

    A `CnnMnistWarning` says where it seems to end in a softmax.

    Args:
        name: see `build_own`.
        classes: see `build_own`.
        dropout: see `build_own`.
        workers: how many processes train together.
    """
    model = build_own(name, classes, dropout=dropout, seed=0)
    try:
        with torch.random.fork_rng(devices=[]):
            images = torch.rand(3, 1, IMAGE_SIZE, IMAGE_SIZE)
            logits = model(images)
            loss = F.cross_entropy(logits, torch.zeros(3, dtype=torch.int64))
            loss.backward()  # type: ignore[no-untyped-call]
    except Exception as error:
        raise RecipeError(f"network {name} cannot be trained: {_reason(error)}") from error
    if _are_probabilities(logits):
        warnings.warn(
            f"network {name} gives probabilities, which sum to 1, and logits are expected: remove "
            "the softmax at its end, as the loss has its own",
            CnnMnistWarning,
            stacklevel=2,
        )
    unused = [
        key
        for key, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.grad is None
    ]
    if unused and workers > 1:
        raise RecipeError(
            f"network {name} does not use its parameter {unused[0]}, which several workers cannot "
            "train: remove it, or train with one worker"
        )


@contextmanager
def named_errors(name: str) -> Iterator[None]:
    """Name a user's own network in what its forward raises on a batch of training.

    Raises:
        RecipeError: anything but a lack of memory.
    """
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if "not enough memory" in str(error):
            raise
        raise RecipeError(f"network {name} fails in training: {_reason(error)}") from error


def _require_logits(name: str, model: nn.Module, classes: int) -> None:
    """Raise `RecipeError` where a network does not give logits for two images."""
    try:
        with in_eval_mode(model), torch.no_grad():
            logits = model(torch.zeros(2, 1, IMAGE_SIZE, IMAGE_SIZE))
    except Exception as error:
        raise RecipeError(
            f"network {name} fails on images (2, 1, 28, 28): {_reason(error)}: {_EXPECTED}"
        ) from error
    if not isinstance(logits, torch.Tensor):
        raise RecipeError(f"network {name} gives a {type(logits).__name__}: {_EXPECTED}")
    if logits.shape != (2, classes) or logits.dtype != torch.float32:
        kind = str(logits.dtype).removeprefix("torch.")
        raise RecipeError(
            f"network {name} gives {tuple(logits.shape)} {kind} for images (2, 1, 28, 28): "
            f"expected (2, {classes}) float32, a logit for each class"
        )


def _require_storable(name: str, model: nn.Module) -> None:
    """Raise `RecipeError` where a network has no weights, or a checkpoint cannot hold its state."""
    for key, parameter in model.named_parameters():
        if is_lazy(parameter):
            raise RecipeError(
                f"network {name}: {key} has no shape, since no image reaches it: remove the layer"
            )
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise RecipeError(f"network {name} has no parameters to train: {_EXPECTED}")
    for key, value in model.state_dict().items():
        if not isinstance(value, torch.Tensor):
            raise RecipeError(
                f"network {name} keeps {key} as {type(value).__name__}, which a checkpoint cannot "
                "hold: keep tensors only"
            )


def _are_probabilities(logits: torch.Tensor) -> bool:
    sums = logits.detach().sum(dim=1)
    return bool((logits >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-4)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {first_line(error)}"
