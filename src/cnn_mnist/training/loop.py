"""Train a run: open its directory, restore its newest checkpoint, do the steps that are missing.

What happens at Ctrl-C, at a kill and at an error is described in docs/reliability.md; exact resume
is the trainer's guarantee.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import torch

from cnn_mnist.data.dataset import Dataset
from cnn_mnist.errors import HookError, NonFiniteLossError, RunError
from cnn_mnist.recipe import Recipe
from cnn_mnist.runs.checkpoint import Checkpoint, found
from cnn_mnist.runs.identity import Identity
from cnn_mnist.runs.run import Run
from cnn_mnist.runs.start import StartWeights
from cnn_mnist.training.best import Best
from cnn_mnist.training.device import choose_device
from cnn_mnist.training.distributed import Group, process_group
from cnn_mnist.training.hooks import Hook, JsonLines, require_end_argument
from cnn_mnist.training.opening import (
    common_start,
    locked_run,
    require_steps_left,
    split_as_before,
    start_sha256,
    warn_of_another_end,
    write_start,
)
from cnn_mnist.training.parts import require_known_parts
from cnn_mnist.training.session import Session, lacks_validation
from cnn_mnist.training.trainer import Trainer

_NO_CHECKPOINT: Final = "no checkpoint was written yet"


def train(
    run: Run,
    recipe: Recipe,
    dataset: Dataset,
    *,
    seed: int = 0,
    device: str = "auto",
    hooks: Sequence[Hook] = (),
    keep_best: bool = False,
    start: StartWeights | None = None,
) -> Trainer:
    """Train a run to its recipe's last step, going on from its newest whole checkpoint.

    Args:
        run: the run directory; created where missing.
        recipe: how to train; `recipe.steps` is the step to end at.
        dataset: its `train` split is trained on, its `validation` split scored on the way.
        seed: see `Trainer`.
        device: see `Trainer`.
        hooks: called in order; one may end the training before the last step.
        keep_best: keep the checkpoint with the lowest validation loss in `best/`, from now on.
        start: weights to start from; None draws them from the seed. A run that has a checkpoint
            goes on from there, and must be given no others.

    Returns:
        The trainer, its last checkpoint on the disk.

    Raises:
        RecipeError: see `Trainer`.
        RunError: the directory belongs to a run with another recipe, data set, seed or start,
            holds something else than a run, or cannot be written; or the start weights are of
            another network.
        CheckpointError: a checkpoint could not be written, or none of those there is whole.
        NonFiniteLossError: the loss became NaN or infinite; the line names the newest checkpoint.
        HookError: a hook failed.
        Interrupted: SIGINT or SIGTERM came; a checkpoint of the step reached was written first.
    """
    require_known_parts(recipe, dataset.classes)
    for hook in hooks:
        require_end_argument(hook)
    group = Group.of_environment()
    with process_group(choose_device(device, group), group), locked_run(run, group):
        dataset = split_as_before(dataset, run, group)
        identity = Identity.of(recipe, dataset, seed, start_sha256(start, run, group))
        checkpoint = common_start(run, identity, group)
        trainer = _trainer(run, identity, dataset, device, group, start, checkpoint)
        _do_missing_steps(run, trainer, identity, dataset, hooks, checkpoint, keep_best=keep_best)
    return trainer


def _trainer(
    run: Run,
    identity: Identity,
    dataset: Dataset,
    device: str,
    group: Group,
    start: StartWeights | None,
    checkpoint: Checkpoint | None,
) -> Trainer:
    """Return the trainer of a run, as its checkpoint has left it."""
    trainer = Trainer(
        identity.recipe,
        dataset.train,
        dataset.classes,
        seed=identity.seed,
        device=device,
        group=group,
        start=None if checkpoint else start,
    )
    if checkpoint is not None:
        require_steps_left(run, checkpoint, identity.recipe)
        trainer.restore(checkpoint)
        warn_of_another_end(checkpoint, identity.recipe)
    return trainer


def _do_missing_steps(
    run: Run,
    trainer: Trainer,
    identity: Identity,
    dataset: Dataset,
    hooks: Sequence[Hook],
    checkpoint: Checkpoint | None,
    *,
    keep_best: bool,
) -> None:
    """Train to the last step or a stop; see `train`."""
    recipe, group = trainer.recipe, trainer.group
    lacking = group.is_main and lacks_validation(run, trainer.step, recipe)
    is_ended = trainer.step == recipe.steps and not group.all_reduce_max(int(lacking))
    if group.is_main and not is_ended:
        write_start(run, identity)
    keep_best = group.is_main and (keep_best or run.best.is_dir())
    best = Best(run, checkpoint) if keep_best else None
    if is_ended:
        return
    hooks = (JsonLines(run), *hooks) if group.is_main else ()
    session = Session(run, trainer, identity, dataset.validation, hooks=hooks, best=best)
    with _with_checkpoint_hint(run, trainer):
        session.train()


@contextmanager
def _with_checkpoint_hint(run: Run, trainer: Trainer) -> Iterator[None]:
    """Add to an error from outside which checkpoint there is to go on from."""
    try:
        yield
    except HookError as error:
        raise HookError(f"{error}; {_checkpoint_hint(run)}") from error.__cause__
    except NonFiniteLossError as error:
        checkpoints = found(run.checkpoints)
        newest = f"the newest checkpoint is {checkpoints[0]}" if checkpoints else _NO_CHECKPOINT
        raise NonFiniteLossError(f"{error}; {newest}") from error
    except (MemoryError, RuntimeError) as error:
        # torch has a class of its own only for the GPU's memory
        if isinstance(error, RuntimeError) and not (
            isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error)
        ):
            raise
        raise RunError(
            f"out of memory after step {trainer.step}: close other programs, or take a recipe "
            f"with smaller batches; {_checkpoint_hint(run)}"
        ) from error


def _checkpoint_hint(run: Run) -> str:
    checkpoints = found(run.checkpoints)
    if not checkpoints:
        return _NO_CHECKPOINT
    return f"{checkpoints[0]} is whole: train again to go on from there"
