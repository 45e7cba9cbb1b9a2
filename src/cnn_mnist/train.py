"""Training: the step, and the loop around it, in one process or in several.

Guarantee: on one kind of machine, torch version, thread and process count, a run that is stopped or
killed and trained again ends with the same weights, bit for bit, as one left alone. Nothing random
has a state: the images, the augmentation and the dropout of step k are functions of (seed, k); with
several processes each draws its own dropout, from (seed, k, rank), and the rest is the same. A GPU
draws other augmentation and dropout than a processor.
"""

import math
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from types import FrameType
from typing import Final, NoReturn

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnn_mnist.checkpoint import Checkpoint, found, from_bytes, newest, save, to_bytes
from cnn_mnist.data.augment import affine, elastic
from cnn_mnist.data.batches import Batches
from cnn_mnist.data.dataset import Dataset, Split
from cnn_mnist.errors import (
    CnnMnistWarning,
    HookError,
    Interrupted,
    NonFiniteLossError,
    RunError,
)
from cnn_mnist.evaluate import evaluate
from cnn_mnist.graph import Recorder
from cnn_mnist.hooks import Hook, JsonLines, Start, Step, blamed
from cnn_mnist.lock import locked
from cnn_mnist.memory import keep_freed
from cnn_mnist.model import as_tensor, build, classify
from cnn_mnist.parallel import Group, joined
from cnn_mnist.recipe import Recipe
from cnn_mnist.run import Identity, Run, read_identity, unfinish, warn_of_damage, write_identity

DEVICES: Final = ("auto", "cpu", "cuda")

_ALONE: Final = Group()
_STEPS_AHEAD: Final = 100
_SETTLING_IMAGES: Final = 20_000
_SETTLING_BATCH: Final = 500

_STATE: Final = {"sgd": (), "adam": ("step", "exp_avg", "exp_avg_sq")}
"""What each optimizer keeps of a parameter."""

_AUGMENTATIONS: Final[dict[str, Callable[[torch.Tensor, torch.Generator], torch.Tensor]]] = {
    "affine": affine,
    "elastic": elastic,
}


class Trainer:
    """A network, its optimizer, and the step that brings both forward.

    Args:
        recipe: how to train.
        split: the training images.
        classes: the number of classes.
        seed: decides the first weights, the order of the images, augmentation and dropout.
        device: `cpu`, `cuda`, or `auto` (cuda where there is one).
        group: the processes that train together; each takes its share of every batch.

    Raises:
        RunError: the device is not there, or the batch too small to be shared.
    """

    def __init__(
        self,
        recipe: Recipe,
        split: Split,
        classes: int,
        *,
        seed: int,
        device: str = "auto",
        group: Group = _ALONE,
    ) -> None:
        if recipe.batch_size < group.size:
            raise RunError(
                f"{group.size} workers cannot share batches of {recipe.batch_size}: "
                "train with fewer workers"
            )
        keep_freed()
        self.group = group
        self.recipe = recipe
        self.classes = classes
        self.seed = seed
        self.step = 0
        self.train_seconds = 0.0
        self.device = _device(device, group)
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
            torch.backends.cudnn.deterministic = True  # for exact resume
        self.model = build(recipe, classes, _generator(seed, 0, "weights")).to(self.device)
        self._recorder = self._new_recorder()
        self.optimizer = _optimizer(recipe, self.model, recorded=self._recorder is not None)
        self._replica = group.replicate(self.model)
        self._share = group.share(recipe.batch_size)
        # the mean over the group of these losses is the loss of the whole batch
        share = self._share.stop - self._share.start
        self._weight = share * group.size / recipe.batch_size
        self._dropout = "dropout" if group.first else f"dropout {group.rank}"
        self._batches = Batches(len(split), recipe.batch_size, seed=seed)
        self._order, self._order_from = torch.empty(0), 0
        self._images = as_tensor(split.images).unsqueeze(1).to(self.device)
        self._labels = as_tensor(split.labels).to(self.device, torch.int64)

    def advance(self) -> Step:
        """Do one step: a batch, its loss, the gradients, the update."""
        images, labels = self.batch()
        _set_rate(self.optimizer, self.recipe.learning_rate_at(self.step))
        if self.recipe.dropout:  # dropout draws from torch's own generator
            torch.manual_seed(_seed(self.seed, self.step, self._dropout))
        if self._recorder:
            loss, logits = self._recorder.call(self._descend, images, labels)
        else:
            loss, logits = self._descend(images, labels)
        self.step += 1
        return Step(number=self.step, loss=loss, logits=logits, labels=labels)

    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Images `(B, 1, 28, 28) float32 in [0, 1]` and labels `(B,) int64` of this step.

        What is drawn is drawn for the whole batch, and then shared among the group.
        """
        indices = self._indices()
        images = self._images[indices].to(torch.float32).div_(255)
        if vary := _AUGMENTATIONS.get(self.recipe.augmentation):
            images = vary(images, _generator(self.seed, self.step, "augmentation", self.device))
        return images[self._share], self._labels[indices[self._share]]

    def _indices(self) -> torch.Tensor:
        """The images of this step, `(B,) int64`; many steps' come to the device at a time."""
        ahead = self.step - self._order_from
        if not 0 <= ahead < len(self._order):
            steps = range(self.step, self.step + _STEPS_AHEAD)
            order = np.stack([self._batches[step] for step in steps])
            self._order, self._order_from = torch.from_numpy(order).to(self.device), self.step
            ahead = 0
        return self._order[ahead]

    def _descend(
        self, images: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Change the weights by a batch's gradients; the loss and the logits before that."""
        low = self.recipe.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=low):
            logits = self._replica(images)
        if low:
            logits = logits.float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)
        if self._weight != 1:
            loss = loss * self._weight
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.detach(), logits.detach()

    def _new_recorder(self) -> Recorder | None:
        """For a GPU of its own; the tensors of weights and optimizer must stay the same from here.

        Gradients that are exchanged with other processes are not recorded.
        """
        return Recorder() if self.device.type == "cuda" and self.group.size == 1 else None

    def settle(self) -> None:
        """Take the statistics of the normalisations anew, from training images as they are.

        In training with augmentation they are running means over varied images; in use the network
        sees images as they are, with its last weights. The step to come is not changed:
        in training each batch is normalised by its own. Source: Wu and Johnson, "Rethinking
        'Batch' in BatchNorm", 2021.
        """
        norms = [layer for layer in self.model.modules() if isinstance(layer, _BatchNorm)]
        if not norms or self.recipe.augmentation == "none":
            return
        self.model.eval()
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches, each with the same weight
            norm.train()
        with torch.no_grad():
            # evenly spaced, for the images may be in order; in batches of about the same size, for
            # each has the same weight
            count = min(_SETTLING_IMAGES, len(self._images))
            chosen = torch.arange(count, device=self.device) * len(self._images) // count
            for indices in chosen.tensor_split(math.ceil(count / _SETTLING_BATCH)):
                self.model(self._images[indices].to(torch.float32).div_(255))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        self.model.train()

    def classify(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Logits `(B, classes) float32` of images `(B, 28, 28) uint8`, without dropout."""
        return classify(self.model, images)

    def checkpoint(self) -> Checkpoint:
        """The state after the steps done."""
        state = {
            f"{name}/{key}": value.contiguous()
            for name, parameter in self.model.named_parameters()
            for key, value in self.optimizer.state[parameter].items()
        }
        return Checkpoint(
            step=self.step,
            seed=self.seed,
            recipe=self.recipe,
            classes=self.classes,
            weights={name: value.contiguous() for name, value in self.model.state_dict().items()},
            optimizer=state,
            train_seconds=self.train_seconds,
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint.

        Raises:
            RunError: its tensors do not fit the recipe's network.
        """
        load_weights(self.model, checkpoint)
        parameters = dict(self.model.named_parameters())
        indices = {name: index for index, name in enumerate(parameters)}
        state: dict[int, dict[str, torch.Tensor]] = {}
        expected = {f"{name}/{key}" for name in parameters for key in _STATE[self.recipe.optimizer]}
        if checkpoint.optimizer.keys() and (lost := expected - checkpoint.optimizer.keys()):
            raise RunError(f"the checkpoint lacks the optimizer state {min(lost)!r}")
        for path, value in checkpoint.optimizer.items():
            name, _, key = path.rpartition("/")
            shape = parameters[name].shape if key != "step" and name in parameters else ()
            if path not in expected or value.shape != shape or value.dtype != torch.float32:
                raise RunError(f"the checkpoint's optimizer state {path!r} fits no parameter")
            if value.ndim:  # in the parameter's own memory order, as when it was made
                value = torch.empty_like(parameters[name]).copy_(value)
            state.setdefault(indices[name], {})[key] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.step = checkpoint.step
        self.train_seconds = checkpoint.train_seconds
        self._recorder = self._new_recorder()


def load_weights(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Copy a checkpoint's weights into a model.

    Raises:
        RunError: names or shapes differ.
    """
    try:
        model.load_state_dict(dict(checkpoint.weights))
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise RunError(f"the checkpoint's weights do not fit the network: {reason}") from error


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
        dataset: trained on its `train` split, watched on its `validation` split.
        seed: see `Trainer`.
        device: see `Trainer`.
        hooks: called in order.

    Returns:
        The trainer, its last checkpoint on the disk.

    Raises:
        RunError: the directory belongs to a run with another recipe, data set or seed; or cannot
            be written.
        CheckpointError: a checkpoint could not be written, or none of those there is whole.
        NonFiniteLossError: the loss became NaN or infinite; the last checkpoint is from before.
        Interrupted: SIGINT or SIGTERM came; a checkpoint of the step reached was written first.
    """
    identity = Identity.of(recipe, dataset, seed)
    group = Group.of_environment()
    with joined(_device(device, group), group), _written_by(run, group):
        checkpoint = _common_start(run, identity, group)
        trainer = Trainer(
            recipe, dataset.train, dataset.classes, seed=seed, device=device, group=group
        )
        if checkpoint is not None:
            trainer.restore(checkpoint)
            if trainer.step >= recipe.steps:
                return trainer
            if checkpoint.recipe.steps != recipe.steps and recipe.schedule != "constant":
                warnings.warn(
                    f"the {recipe.schedule} schedule was laid out for {checkpoint.recipe.steps} "
                    f"steps and is now for {recipe.steps}: not the run that one go would have been",
                    CnnMnistWarning,
                    stacklevel=2,
                )
        if group.first:
            if read_identity(run) != identity:
                write_identity(run, identity)
            unfinish(run)
            hooks = (JsonLines(run.metrics_file), *hooks)
        with _told_where_it_stands(run, trainer):
            _loop(trainer, run, dataset.validation, hooks if group.first else ())
    return trainer


@contextmanager
def _written_by(run: Run, group: Group) -> Iterator[None]:
    """Hold the run directory's lock, in the one process that writes there."""
    with locked(run.path) if group.first else nullcontext():
        yield


def _common_start(run: Run, identity: Identity, group: Group) -> Checkpoint | None:
    """The checkpoint that the whole group goes on from: that of the first process's disk.

    Raises:
        RunError: the directory belongs to another run, or this process trains another than the
            first.
        CheckpointError: none of the checkpoints is whole.
    """
    checkpoint = None
    if group.first:
        warn_of_damage(run)
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
    if group.of_first(mine) != mine:
        raise RunError(
            f"worker {group.rank} has another recipe, data set or seed than worker 0: give the "
            "same flags and the same data on every machine"
        )
    parts = to_bytes(checkpoint) if checkpoint else (b"",) * 3
    contents = [group.of_first(part) for part in parts]
    return from_bytes(contents) if contents[-1] else None


@contextmanager
def _told_where_it_stands(run: Run, trainer: Trainer) -> Iterator[None]:
    """Add to what ends the run from outside which checkpoint there is to go on from."""
    try:
        yield
    except HookError as error:
        raise HookError(f"{error}; {_standing(run)}") from error.__cause__
    except (MemoryError, RuntimeError) as error:
        # torch has a class of its own for the GPU's memory only
        if isinstance(error, RuntimeError) and not (
            isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error)
        ):
            raise
        raise RunError(
            f"out of memory after step {trainer.step}: close other programs, or take a recipe "
            f"with smaller batches; {_standing(run)}"
        ) from error


def _standing(run: Run) -> str:
    checkpoints = found(run.checkpoints)
    if not checkpoints:
        return "no checkpoint was written yet"
    return f"{checkpoints[0]} is whole: train again to go on from there"


def _loop(trainer: Trainer, run: Run, validation: Split, hooks: Sequence[Hook]) -> None:
    recipe, group = trainer.recipe, trainer.group
    start = Start(run_dir=run.path, recipe=recipe, model=trainer.model, first_step=trainer.step)
    with _signals() as received, ExitStack() as stack:

        def publish(metrics: Mapping[str, float]) -> None:
            for hook in hooks:
                with blamed(hook):
                    hook.on_metrics(metrics)

        def end(hook: Hook) -> None:
            with blamed(hook):
                hook.end()

        for hook in hooks:
            with blamed(hook):
                hook.begin(start)
            stack.callback(end, hook)
        clock = _Clock(trainer.train_seconds)
        meter = _Meter(clock.seconds(), group)
        while trainer.step < recipe.steps:
            rate = recipe.learning_rate_at(trainer.step)
            step = trainer.advance()
            meter.add(step)
            for hook in hooks:
                with blamed(hook):
                    hook.after_step(step)
            last = step.number == recipe.steps
            if step.number % recipe.log_every == 0 or last:
                publish(meter.take(clock.seconds()) | {"learning_rate": rate})
            stop = group.largest(received[0] if received else 0)
            if step.number % recipe.checkpoint_every == 0 or last or stop:
                meter.check()
                _check_weights(step.number, trainer.model)
                if last:
                    trainer.settle()
                trainer.train_seconds = clock.seconds()
                with clock.paused():
                    if group.first:
                        save(run.checkpoints, trainer.checkpoint())
                    if stop and not last:
                        _stop(signal.Signals(stop), step.number, run, group)
                    if group.first:
                        figures = evaluate(trainer.classify, validation)
                        publish(
                            {
                                "step": step.number,
                                "validation_loss": figures["loss"],
                                "validation_accuracy": figures["accuracy"],
                            }
                        )


def _stop(number: signal.Signals, step: int, run: Run, group: Group) -> NoReturn:
    """Raise `Interrupted` in every process, once the first has written the checkpoint."""
    path = group.of_first(str(found(run.checkpoints)[0]).encode() if group.first else b"").decode()
    raise Interrupted(
        f"stopped by {number.name} at step {step}; {path} holds everything: train again to go on",
        number,
    )


class _Meter:
    """Means over the steps since the last look; reads the device only when looked at.

    All processes of a group look at the same steps, and see the same.
    """

    def __init__(self, seconds: float, group: Group) -> None:
        self._group = group
        self._reset(seconds)

    def _reset(self, seconds: float) -> None:
        self._steps: list[tuple[int, torch.Tensor, torch.Tensor]] = []
        self._images = 0
        self._since = seconds

    def add(self, step: Step) -> None:
        """Take a step in."""
        self._steps.append((step.number, step.loss, (step.classes == step.labels).sum()))
        self._images += len(step.labels)

    def check(self) -> None:
        """Raise `NonFiniteLossError` if any loss since the last look is NaN or infinite."""
        self._losses()

    def _losses(self) -> torch.Tensor:
        """The losses of the whole batches since the last look, all of them finite."""
        if not self._steps:
            return torch.empty(0)
        losses = self._group.mean(torch.stack([loss for _, loss, _ in self._steps]))
        for (number, *_), loss in zip(self._steps, losses, strict=True):
            if not loss.isfinite():
                raise NonFiniteLossError(
                    f"the loss is {float(loss)} at step {number}: lower the recipe's learning "
                    "rate; the last checkpoint is from before"
                )
        return losses

    def take(self, seconds: float) -> dict[str, float]:
        """The metrics from the last look to this one, at `seconds` on the clock."""
        losses = self._losses()
        hits = torch.stack([hits for *_, hits in self._steps]).sum()
        images = torch.tensor(self._images, device=hits.device)
        hits, images = self._group.total(torch.stack((hits, images))).tolist()
        metrics = {
            "step": self._steps[-1][0],
            "loss": float(losses.mean()),
            "accuracy": hits / images,
            "images_per_second": images / (seconds - self._since),
        }
        self._reset(seconds)
        return metrics


def _check_weights(step: int, model: nn.Module) -> None:
    """Raise `NonFiniteLossError` where the update after a finite loss has spoilt the weights."""
    if not all(weights.isfinite().all() for weights in model.parameters()):
        raise NonFiniteLossError(
            f"the weights are not finite after step {step}: lower the recipe's learning rate; "
            "the last checkpoint is from before"
        )


class _Clock:
    """Seconds of training, without the pauses."""

    def __init__(self, seconds: float) -> None:
        self._began = time.perf_counter() - seconds

    def seconds(self) -> float:
        """Seconds so far, those of earlier sessions of the run included."""
        return time.perf_counter() - self._began

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens inside is not counted."""
        began = time.perf_counter()
        yield
        self._began += time.perf_counter() - began


@contextmanager
def _signals() -> Iterator[list[signal.Signals]]:
    """Collect the first SIGINT or SIGTERM instead of dying of it; a second one stops at once."""
    received: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield received  # Python delivers signals to the main thread only
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(signal.Signals(number))
        restore()

    for number in before:
        signal.signal(number, receive)
    try:
        yield received
    finally:
        restore()


def _device(name: str, group: Group) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in DEVICES:
        raise RunError(f"no device is called {name!r}: expected {', '.join(DEVICES)}")
    if name == "cuda" and not torch.cuda.is_available():
        raise RunError("torch finds no CUDA device: use --device cpu, or install a CUDA build")
    if name == "cuda" and group.local_rank >= (gpus := torch.cuda.device_count()):
        raise RunError(f"worker {group.rank} finds no GPU left of {gpus}: start fewer workers")
    return torch.device(f"cuda:{group.local_rank}" if name == "cuda" else name)


def _optimizer(recipe: Recipe, model: nn.Module, *, recorded: bool) -> torch.optim.Optimizer:
    rate: float | torch.Tensor = recipe.learning_rate
    if recorded:  # then it is read from the device
        rate = torch.tensor(rate, device=next(model.parameters()).device)
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(model.parameters(), lr=rate, fused=True)
    return torch.optim.AdamW(
        model.parameters(),
        lr=rate,
        betas=(recipe.beta1, recipe.beta2),
        weight_decay=recipe.weight_decay,
        fused=True,
        capturable=recorded,
    )


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def _seed(seed: int, step: int, purpose: str) -> int:
    """A 64-bit seed for one purpose at one step; seeds of different triples are unrelated."""
    entropy = (seed, step, *purpose.encode())
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])


def _generator(
    seed: int, step: int, purpose: str, device: torch.device | None = None
) -> torch.Generator:
    return torch.Generator(device or "cpu").manual_seed(_seed(seed, step, purpose))
