"""Train a run: the loop around the step, with its hooks, checkpoints, validation and signals.

What happens at Ctrl-C, at a kill and at an error is described in docs/reliability.md; exact resume
is the trainer's guarantee.
"""

import signal
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import NoReturn

import torch
from torch import nn

from cnn_mnist.data.dataset import Dataset, Split
from cnn_mnist.errors import (
    CnnMnistWarning,
    HookError,
    Interrupted,
    NonFiniteLossError,
    RunError,
)
from cnn_mnist.evaluation.metrics import evaluate
from cnn_mnist.recipe import Recipe
from cnn_mnist.runs.checkpoint import Checkpoint, found, from_bytes, newest, save, to_bytes
from cnn_mnist.runs.identity import Identity, read_identity, write_identity
from cnn_mnist.runs.lock import locked
from cnn_mnist.runs.run import Run, drop_old_checksums
from cnn_mnist.training.clock import Clock
from cnn_mnist.training.device import choose_device
from cnn_mnist.training.distributed import Group, process_group
from cnn_mnist.training.hooks import Hook, JsonLines, Start, wrap_hook_errors
from cnn_mnist.training.meter import Meter
from cnn_mnist.training.parts import require_known_parts
from cnn_mnist.training.schedules import learning_rate_at
from cnn_mnist.training.signals import catch_signals
from cnn_mnist.training.trainer import Trainer


def train(
    run: Run,
    recipe: Recipe,
    dataset: Dataset,
    *,
    seed: int = 0,
    device: str = "auto",
    hooks: Sequence[Hook] = (),
) -> Trainer:
    """Train a run to its recipe's last step, going on from its newest whole checkpoint.

    Args:
        run: the run directory; created where missing.
        recipe: how to train; `recipe.steps` is the step to end at.
        dataset: its `train` split is trained on, its `validation` split scored on the way.
        seed: see `Trainer`.
        device: see `Trainer`.
        hooks: called in order.

    Returns:
        The trainer, its last checkpoint on the disk.

    Raises:
        RecipeError: see `Trainer`.
        RunError: the directory belongs to a run with another recipe, data set or seed, or cannot
            be written.
        CheckpointError: a checkpoint could not be written, or none of those there is whole.
        NonFiniteLossError: the loss became NaN or infinite; the last checkpoint is from before.
        Interrupted: SIGINT or SIGTERM came; a checkpoint of the step reached was written first.
    """
    require_known_parts(recipe)
    identity = Identity.of(recipe, dataset, seed)
    group = Group.of_environment()
    with process_group(choose_device(device, group), group), _lock(run, group):
        checkpoint = _common_start(run, identity, group)
        trainer = Trainer(
            recipe, dataset.train, dataset.classes, seed=seed, device=device, group=group
        )
        if checkpoint is not None:
            _require_steps_left(run, checkpoint, recipe)
            trainer.restore(checkpoint)
            _warn_of_another_end(checkpoint, recipe)
        if trainer.step < recipe.steps:
            if group.is_main:
                _write_start(run, identity)
            hooks = (JsonLines(run.metrics_file), *hooks) if group.is_main else ()
            with _with_checkpoint_hint(run, trainer):
                _loop(trainer, run, dataset.validation, hooks)
    return trainer


def _require_steps_left(run: Run, checkpoint: Checkpoint, recipe: Recipe) -> None:
    """Raise `RunError` where a run is beyond the step that it should end at."""
    if checkpoint.step > recipe.steps:
        raise RunError(
            f"{run.path} is at step {checkpoint.step} already, beyond step {recipe.steps}: "
            "train to a later step, or choose another run directory"
        )


def _write_start(run: Run, identity: Identity) -> None:
    """Bring a run directory up to the training that begins: what it is, and nothing outdated."""
    drop_old_checksums(run)
    if read_identity(run) != identity:
        write_identity(run, identity)


def _warn_of_another_end(checkpoint: Checkpoint, recipe: Recipe) -> None:
    """Warn where a schedule that depends on the last step is stretched or cut."""
    before, now = checkpoint.recipe, recipe
    step = checkpoint.step
    if step < now.steps and learning_rate_at(before, step) != learning_rate_at(now, step):
        warnings.warn(
            f"the {now.schedule} schedule was laid out for {before.steps} steps and is now for "
            f"{now.steps}: the result differs from one run of {now.steps} steps",
            CnnMnistWarning,
            stacklevel=3,
        )


@contextmanager
def _lock(run: Run, group: Group) -> Iterator[None]:
    """Hold the run directory's lock in the one process that writes there."""
    with locked(run.path) if group.is_main else nullcontext():
        yield


def _common_start(run: Run, identity: Identity, group: Group) -> Checkpoint | None:
    """Return the checkpoint that the whole group goes on from: that of the main process's disk.

    Raises:
        RunError: the directory belongs to another run, or this process trains another one than the
            main process.
        CheckpointError: none of the checkpoints is whole.
    """
    checkpoint = None
    if group.is_main:
        before = read_identity(run)
        if before is not None and (changes := before.differences(identity)):
            raise RunError(
                f"{run.path} holds another run ({'; '.join(changes)}): "
                "train it as it was, or choose another run directory"
            )
        if before is None and found(run.checkpoints):
            raise RunError(f"{run.recipe_file} is missing, but there are checkpoints beside it")
        checkpoint = newest(run.checkpoints)
    if group.size == 1:
        return checkpoint
    mine = repr(identity).encode()
    if group.broadcast(mine) != mine:
        raise RunError(
            f"worker {group.rank} has another recipe, data set or seed than worker 0: give the "
            "same flags and the same data on every machine"
        )
    parts = to_bytes(checkpoint) if checkpoint else (b"",) * 3
    contents = [group.broadcast(part) for part in parts]
    return from_bytes(contents) if contents[-1] else None


@contextmanager
def _with_checkpoint_hint(run: Run, trainer: Trainer) -> Iterator[None]:
    """Add to an error from outside which checkpoint there is to go on from."""
    try:
        yield
    except HookError as error:
        raise HookError(f"{error}; {_checkpoint_hint(run)}") from error.__cause__
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
        return "no checkpoint was written yet"
    return f"{checkpoints[0]} is whole: train again to go on from there"


def _loop(trainer: Trainer, run: Run, validation: Split, hooks: Sequence[Hook]) -> None:
    """Do the steps that are missing; see `train`."""
    recipe, group = trainer.recipe, trainer.group
    start = Start(run_dir=run.path, recipe=recipe, model=trainer.model, first_step=trainer.step)
    with catch_signals() as received, ExitStack() as stack:
        for hook in hooks:
            with wrap_hook_errors(hook):
                hook.begin(start)
            stack.callback(_end, hook)
        clock = Clock(trainer.train_seconds)
        meter = Meter(clock.seconds(), group)
        while trainer.step < recipe.steps:
            rate = learning_rate_at(recipe, trainer.step)
            step = trainer.advance()
            meter.add(step)
            for hook in hooks:
                with wrap_hook_errors(hook):
                    hook.after_step(step)
            last = step.number == recipe.steps
            if step.number % recipe.log_every == 0 or last:
                _publish(hooks, meter.take(clock.seconds()) | {"learning_rate": rate})
            stop = group.all_reduce_max(received[0] if received else 0)
            if step.number % recipe.checkpoint_every == 0 or last or stop:
                meter.check()
                _check_weights(step.number, trainer.model)
                if last:
                    trainer.finish()
                trainer.train_seconds = clock.seconds()
                with clock.paused():
                    if group.is_main:
                        save(run.checkpoints, trainer.checkpoint())
                    if stop and not last:
                        _stop(signal.Signals(stop), step.number, run, group)
                    if group.is_main:
                        _validate(trainer, validation, hooks)
        # a signal in the last step or in the validation pass after it
        if stop := group.all_reduce_max(received[0] if received else 0):
            _stop(signal.Signals(stop), trainer.step, run, group)


def _validate(trainer: Trainer, validation: Split, hooks: Sequence[Hook]) -> None:
    """Score the validation images and publish the metrics."""
    result = evaluate(trainer.classify, validation)
    _publish(
        hooks,
        {
            "step": trainer.step,
            "validation_loss": result["loss"],
            "validation_accuracy": result["accuracy"],
        },
    )


def _publish(hooks: Sequence[Hook], metrics: Mapping[str, float]) -> None:
    for hook in hooks:
        with wrap_hook_errors(hook):
            hook.on_metrics(metrics)


def _end(hook: Hook) -> None:
    with wrap_hook_errors(hook):
        hook.end()


def _stop(number: signal.Signals, step: int, run: Run, group: Group) -> NoReturn:
    """Raise `Interrupted` in every process, once the main process has written the checkpoint."""
    mine = str(found(run.checkpoints)[0]).encode() if group.is_main else b""
    path = group.broadcast(mine).decode()
    raise Interrupted(
        f"stopped by {number.name} at step {step}; {path} holds everything: train again to go on",
        number,
    )


def _check_weights(step: int, model: nn.Module) -> None:
    """Raise `NonFiniteLossError` where the update after a finite loss has spoilt the weights."""
    if not all(weights.isfinite().all() for weights in model.parameters()):
        raise NonFiniteLossError(
            f"the weights are not finite after step {step}: lower the recipe's learning rate; "
            "the last checkpoint is from before"
        )
