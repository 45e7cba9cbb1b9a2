"""Training: the step, and the loop around it.

Guarantee: on one kind of machine, torch version and thread count, a run that is stopped or killed
and trained again ends with the same weights, bit for bit, as one left alone. Nothing random has a
state: the images, the augmentation and the dropout of step k are functions of (seed, k).
"""

import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnn_mnist.checkpoint import Checkpoint, found, newest, save
from cnn_mnist.data.augment import affine, elastic
from cnn_mnist.data.batches import Batches
from cnn_mnist.data.dataset import Dataset, Split
from cnn_mnist.errors import CnnMnistWarning, Interrupted, NonFiniteLossError, RunError
from cnn_mnist.evaluate import evaluate
from cnn_mnist.hooks import Hook, JsonLines, Start, Step
from cnn_mnist.model import as_tensor, build, classify
from cnn_mnist.recipe import Recipe
from cnn_mnist.run import Identity, Run, read_identity, write_identity

DEVICES: Final = ("auto", "cpu", "cuda")

_SETTLING_IMAGES: Final = 20_000
_SETTLING_BATCH: Final = 500

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

    Raises:
        RunError: the device is not there.
    """

    def __init__(
        self, recipe: Recipe, split: Split, classes: int, *, seed: int, device: str = "auto"
    ) -> None:
        self.recipe = recipe
        self.classes = classes
        self.seed = seed
        self.step = 0
        self.train_seconds = 0.0
        self.device = _device(device)
        self.model = build(recipe, classes, _generator(seed, 0, "weights")).to(self.device)
        self.optimizer = _optimizer(recipe, self.model)
        self._batches = Batches(len(split), recipe.batch_size, seed=seed)
        self._images = as_tensor(split.images).unsqueeze(1).to(self.device)
        self._labels = as_tensor(split.labels).to(self.device, torch.int64)

    def advance(self) -> Step:
        """Do one step: a batch, its loss, the gradients, the update."""
        images, labels = self.batch()
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate_at(self.step)
        if self.recipe.dropout:  # dropout draws from torch's own generator
            torch.manual_seed(_seed(self.seed, self.step, "dropout"))
        low = self.recipe.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=low):
            logits = self.model(images)
        if low:
            logits = logits.float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.step += 1
        return Step(number=self.step, loss=loss.detach(), logits=logits.detach(), labels=labels)

    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Images `(B, 1, 28, 28) float32 in [0, 1]` and labels `(B,) int64` of this step."""
        indices = torch.from_numpy(self._batches[self.step]).to(self.device)
        images = self._images[indices].to(torch.float32).div_(255)
        if vary := _AUGMENTATIONS.get(self.recipe.augmentation):
            images = vary(images, _generator(self.seed, self.step, "augmentation"))
        return images, self._labels[indices]

    def settle(self) -> None:
        """Take the statistics of the normalisations anew, from training images as they are.

        In training they are running means over varied images and moving weights; in use the
        network sees images as they are, with its last weights. The step to come is not changed:
        in training each batch is normalised by its own. Source: Wu and Johnson, "Rethinking
        'Batch' in BatchNorm", 2021.
        """
        norms = [layer for layer in self.model.modules() if isinstance(layer, _BatchNorm)]
        if not norms:
            return
        self.model.eval()
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches, each with the same weight
            norm.train()
        with torch.no_grad():
            for start in range(0, min(_SETTLING_IMAGES, len(self._images)), _SETTLING_BATCH):
                images = self._images[start : start + _SETTLING_BATCH]
                self.model(images.to(torch.float32).div_(255))
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
        for path, value in checkpoint.optimizer.items():
            name, _, key = path.rpartition("/")
            if name not in parameters:
                raise RunError(f"the checkpoint's optimizer state {path!r} fits no parameter")
            if value.ndim:  # in the parameter's own memory order, as when it was made
                value = torch.empty_like(parameters[name]).copy_(value)
            state.setdefault(indices[name], {})[key] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.step = checkpoint.step
        self.train_seconds = checkpoint.train_seconds


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
    before = read_identity(run)
    if before is not None and (changes := before.differences(identity)):
        raise RunError(
            f"{run.path} holds another run ({'; '.join(changes)}): "
            "train it as it was, or choose another run directory"
        )
    if before is None and found(run.checkpoints):
        raise RunError(f"{run.recipe_file} is missing, but there are checkpoints beside it")
    trainer = Trainer(recipe, dataset.train, dataset.classes, seed=seed, device=device)
    checkpoint = newest(run.checkpoints)
    if checkpoint is not None:
        trainer.restore(checkpoint)
        if trainer.step >= recipe.steps:
            return trainer
        if checkpoint.recipe.steps != recipe.steps and recipe.schedule != "constant":
            warnings.warn(
                f"the {recipe.schedule} schedule was laid out for {checkpoint.recipe.steps} steps "
                f"and is now for {recipe.steps}: not the run that one go would have been",
                CnnMnistWarning,
                stacklevel=2,
            )
    if before != identity:
        write_identity(run, identity)
    _loop(trainer, run, dataset.validation, (JsonLines(run.metrics_file), *hooks))
    return trainer


def _loop(trainer: Trainer, run: Run, validation: Split, hooks: Sequence[Hook]) -> None:
    recipe = trainer.recipe
    start = Start(run_dir=run.path, recipe=recipe, model=trainer.model, first_step=trainer.step)
    with _signals() as received, ExitStack() as stack:
        for hook in hooks:
            hook.begin(start)
            stack.callback(hook.end)
        clock = _Clock(trainer.train_seconds)
        meter = _Meter(clock.seconds())
        while trainer.step < recipe.steps:
            rate = recipe.learning_rate_at(trainer.step)
            step = trainer.advance()
            meter.add(step)
            for hook in hooks:
                hook.after_step(step)
            last = step.number == recipe.steps
            if step.number % recipe.log_every == 0 or last:
                metrics = meter.take(clock.seconds()) | {"learning_rate": rate}
                for hook in hooks:
                    hook.on_metrics(metrics)
            if step.number % recipe.checkpoint_every == 0 or last or received:
                meter.check()
                _check_weights(step.number, trainer.model)
                if last:
                    trainer.settle()
                trainer.train_seconds = clock.seconds()
                with clock.paused():
                    path = save(run.checkpoints, trainer.checkpoint())
                    if received and not last:
                        raise Interrupted(
                            f"stopped by {received[0].name} at step {step.number}; {path} holds "
                            "everything: train again to go on",
                            received[0],
                        )
                    figures = evaluate(trainer.classify, validation)
                    metrics = {
                        "step": step.number,
                        "validation_loss": figures["loss"],
                        "validation_accuracy": figures["accuracy"],
                    }
                    for hook in hooks:
                        hook.on_metrics(metrics)


class _Meter:
    """Means over the steps since the last look; reads the device only when looked at."""

    def __init__(self, seconds: float) -> None:
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
        for number, loss, _ in self._steps:
            if not loss.isfinite():
                raise NonFiniteLossError(
                    f"the loss is {float(loss)} at step {number}: lower the recipe's learning "
                    "rate; the last checkpoint is from before"
                )

    def take(self, seconds: float) -> dict[str, float]:
        """The metrics from the last look to this one, at `seconds` on the clock."""
        self.check()
        metrics = {
            "step": self._steps[-1][0],
            "loss": float(torch.stack([loss for _, loss, _ in self._steps]).mean()),
            "accuracy": int(sum(hits for *_, hits in self._steps)) / self._images,
            "images_per_second": self._images / (seconds - self._since),
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


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in DEVICES:
        raise RunError(f"no device is called {name!r}: expected {', '.join(DEVICES)}")
    if name == "cuda" and not torch.cuda.is_available():
        raise RunError("torch finds no CUDA device: use --device cpu, or install a CUDA build")
    return torch.device(name)


def _optimizer(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    parameters = model.parameters()
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=recipe.learning_rate, fused=True)
    return torch.optim.AdamW(
        parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )


def _seed(seed: int, step: int, purpose: str) -> int:
    """A 64-bit seed for one purpose at one step; seeds of different triples are unrelated."""
    entropy = (seed, step, *purpose.encode())
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])


def _generator(seed: int, step: int, purpose: str) -> torch.Generator:
    return torch.Generator().manual_seed(_seed(seed, step, purpose))
