"""Define what a hook is told, and when."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

import torch
from torch import nn

from cnn_mnist.errors import CnnMnistError, HookError
from cnn_mnist.recipe import Recipe
from cnn_mnist.registry import Registry
from cnn_mnist.runs.identity import Identity
from cnn_mnist.runs.run import Run


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a hook is told before the first step."""

    run_dir: Path
    recipe: Recipe
    model: nn.Module
    first_step: int
    """Steps done already: 0 in a new run."""
    identity: Identity
    """Recipe, data set and its hash, classes and seed, as in `recipe.json`."""
    request_stop: Callable[[str], None]
    """Ends the training after the current step, for the reason given. Any method but `end` may call
    it, now or later. `train` then returns as after the last step, with a checkpoint, from which
    training again goes on."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a hook is told after each step. Tensors are the run's own, on its device."""

    number: int
    """Steps done, this one included."""
    loss: torch.Tensor
    """`()`, the mean over the batch; with several processes over this process's share of it."""
    logits: torch.Tensor
    """`(B, classes)`, before this step's update."""
    labels: torch.Tensor
    """`(B,)`."""
    weight: float = 1.0
    """Of this process's share of the batch: the mean over the processes of weight times loss is the
    mean over the whole batch."""

    @cached_property
    def probabilities(self) -> torch.Tensor:
        """`(B, classes)`, softmax of the logits."""
        return self.logits.softmax(dim=1)

    @cached_property
    def classes(self) -> torch.Tensor:
        """`(B,)`, the most probable class of each image."""
        return self.logits.argmax(dim=1)


@dataclass(frozen=True, kw_only=True)
class End:
    """What a hook is told at the end of a training."""

    outcome: Literal["finished", "stopped", "interrupted", "failed"]
    """`finished` at the recipe's last step, `stopped` by a hook, `interrupted` by a signal, or
    `failed` with an error."""
    step: int
    """Steps done."""
    reason: str | None
    """A hook's reason, or the message of the signal or the error; None where it is finished."""
    metrics: Mapping[str, float]
    """The latest value of each metric of the run, those of earlier trainings included."""


class Hook:
    """Watches a run. Override what you need."""

    def begin(self, start: Start) -> None:
        """Prepare; called before the first step."""

    def after_step(self, step: Step) -> None:
        """Look at a step; called after every step, so anything slow here slows training."""

    def on_metrics(self, metrics: Mapping[str, float]) -> None:
        """Take metrics; called every `log_every` steps and after each validation pass.

        `metrics` has `step` and either `loss`, `accuracy` (means over the steps since the last
        time), `learning_rate` and `images_per_second`; or `validation_loss` and
        `validation_accuracy`.
        """

    def end(self, end: End) -> None:
        """Clean up; called once after the last step, also when the run is stopped or fails."""


HOOKS: Final[Registry[Callable[[Run], Hook]]] = Registry("hook", "cnn_mnist.training.hooks")


def require_end_argument(hook: Hook) -> None:
    """Raise `HookError` for a hook whose `end` takes no argument, as in version 0.1."""
    try:
        inspect.signature(hook.end).bind(None)
    except TypeError as error:
        raise HookError(
            f"the hook {type(hook).__name__} has an end() that takes no `End`: write "
            "`def end(self, end: End) -> None`, with End from cnn_mnist.training.hooks"
        ) from error


@contextmanager
def wrap_hook_errors(hook: Hook) -> Iterator[None]:
    """Name the hook in the error where it fails; an error of this package passes as it is.

    Raises:
        HookError: anything else went wrong inside the block.
    """
    try:
        yield
    except CnnMnistError:
        raise
    except Exception as error:
        kind = type(error).__name__
        raise HookError(f"the hook {type(hook).__name__} failed: {kind}: {error}") from error
