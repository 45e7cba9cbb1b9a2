"""Do the steps of one training: hooks, metrics, checkpoints, validation, signals.

The order of the writes at a checkpoint is what exact resume rests on: the checkpoint, then the line
of the validation pass in `metrics.jsonl`, then the best checkpoint. What a kill between two of them
has left out is done when training begins again.
"""

import signal
from collections.abc import Sequence
from typing import NoReturn

from torch import nn

from cnn_mnist.data.dataset import Split
from cnn_mnist.errors import Interrupted, NonFiniteLossError
from cnn_mnist.evaluation.metrics import evaluate
from cnn_mnist.recipe import Recipe
from cnn_mnist.runs.checkpoint import found, save
from cnn_mnist.runs.identity import Identity
from cnn_mnist.runs.run import Run, read_metrics
from cnn_mnist.training.best import Best
from cnn_mnist.training.clock import Clock
from cnn_mnist.training.hooks import Hook, Start, Watchers
from cnn_mnist.training.meter import Meter
from cnn_mnist.training.schedules import learning_rate_at
from cnn_mnist.training.signals import catch_signals
from cnn_mnist.training.stop import StopRequests
from cnn_mnist.training.trainer import Trainer


def lacks_validation(run: Run, step: int, recipe: Recipe) -> bool:
    """Return whether a kill has left out the validation pass after the checkpoint of a step."""
    due = step > 0 and (step % recipe.checkpoint_every == 0 or step == recipe.steps)
    return due and not any(
        row["step"] == step and "validation_loss" in row for row in read_metrics(run)
    )


class Session:
    """The steps of one training, from where the trainer stands to the last step or a stop.

    Args:
        run: the run directory.
        trainer: its newest checkpoint restored, where there is one.
        identity: of the run.
        validation: scored after each checkpoint.
        hooks: those of this process.
        best: where the best checkpoint is kept; None in a run without, and in other processes than
            the main one.
    """

    def __init__(
        self,
        run: Run,
        trainer: Trainer,
        identity: Identity,
        validation: Split,
        *,
        hooks: Sequence[Hook],
        best: Best | None,
    ) -> None:
        self._run = run
        self._trainer = trainer
        self._identity = identity
        self._validation = validation
        self._watchers = Watchers(hooks)
        self._best = best
        self._group = trainer.group
        self._clock = Clock(trainer.train_seconds)
        self._meter = Meter(self._clock.seconds(), self._group)
        self._saved = trainer.step or None
        """The step of the newest checkpoint; None where there is none."""

    def train(self) -> None:
        """Do the steps; see `cnn_mnist.training.loop.train`."""
        trainer = self._trainer
        with catch_signals() as received:
            stop = StopRequests(self._group, received)
            start = Start(
                run_dir=self._run.path,
                recipe=trainer.recipe,
                model=trainer.model,
                first_step=trainer.step,
                identity=self._identity,
                request_stop=stop.request,
            )
            with self._watchers.watching(start):
                if self._group.is_main and lacks_validation(
                    self._run, trainer.step, trainer.recipe
                ):
                    self._validate()
                self._steps(stop)

    def _steps(self, stop: StopRequests) -> None:
        """Do steps until the last one or a stop, on which all processes agree."""
        trainer, recipe = self._trainer, self._trainer.recipe
        request = stop.agreed() if trainer.step else None  # a new run does one step at least
        while request is None and trainer.step < recipe.steps:
            self._step()
            last = trainer.step == recipe.steps
            if trainer.step % recipe.checkpoint_every == 0 or last:
                self._save()
                if last or not stop.signalled:
                    self._validate()
            request = stop.agreed()
        if isinstance(request, str) and trainer.step < recipe.steps:
            if self._saved != trainer.step:
                self._save()
                self._validate()
            trainer.stopped = self._watchers.stopped = request
            request = stop.agreed()  # a signal meanwhile
        if isinstance(request, signal.Signals):
            if self._saved != trainer.step:
                self._save()
            self._raise_interrupted(request)

    def _step(self) -> None:
        """Do a step, and tell the hooks."""
        recipe = self._trainer.recipe
        rate = learning_rate_at(recipe, self._trainer.step)
        step = self._trainer.advance()
        self._meter.add(step)
        self._watchers.after_step(step)
        if step.number % recipe.log_every == 0 or step.number == recipe.steps:
            metrics = self._meter.take(self._clock.seconds())
            self._watchers.on_metrics(metrics | {"learning_rate": rate})

    def _save(self) -> None:
        """Write a checkpoint of the step reached, ready for use."""
        trainer = self._trainer
        self._meter.check()
        _check_weights(trainer.step, trainer.model)
        trainer.finish()
        trainer.train_seconds = self._clock.seconds()
        if self._group.is_main:
            with self._clock.paused():
                save(self._run.checkpoints, trainer.checkpoint())
        self._saved = trainer.step

    def _validate(self) -> None:
        """Score the validation images in the main process, publish the metrics, keep the best."""
        if not self._group.is_main:
            return
        with self._clock.paused():
            result = evaluate(self._trainer.classify, self._validation)
            self._watchers.on_metrics(
                {
                    "step": self._trainer.step,
                    "validation_loss": result["loss"],
                    "validation_accuracy": result["accuracy"],
                }
            )
            if self._best:
                self._best.offer(result["loss"], self._trainer.checkpoint())

    def _raise_interrupted(self, number: signal.Signals) -> NoReturn:
        """Raise `Interrupted` in every process, once the main one has written the checkpoint."""
        mine = str(found(self._run.checkpoints)[0]).encode() if self._group.is_main else b""
        path = self._group.broadcast(mine).decode()
        raise Interrupted(
            f"stopped by {number.name} at step {self._trainer.step}; {path} holds everything: "
            "train again to go on",
            number,
        )


def _check_weights(step: int, model: nn.Module) -> None:
    """Raise `NonFiniteLossError` where the update after a finite loss has spoilt the weights."""
    if not all(weights.isfinite().all() for weights in model.parameters()):
        raise NonFiniteLossError(
            f"the weights are not finite after step {step}: lower the recipe's learning rate"
        )
