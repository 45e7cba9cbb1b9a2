"""Do the training step: a network, its optimizer, and what brings both forward.

Guarantee: on one machine kind, torch version, thread and process count, a run that is stopped or
killed and trained again ends with the same weights, bit for bit, as an undisturbed one. Nothing
random has a state: the images, the augmentation and the dropout of step k are functions of
(seed, k); with several processes each draws its own dropout, from (seed, k, rank), and the rest is
the same. A GPU draws other augmentation and dropout than a processor.
"""

import warnings
from contextlib import nullcontext
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from cnn_mnist.data.batch_order import BatchOrder
from cnn_mnist.data.dataset import Split
from cnn_mnist.errors import CnnMnistWarning, RunError
from cnn_mnist.networks import NETWORKS
from cnn_mnist.networks.build import build, load_weights
from cnn_mnist.networks.classify import as_tensor, classify
from cnn_mnist.networks.own import named_errors
from cnn_mnist.recipe import Recipe
from cnn_mnist.runs.checkpoint import Checkpoint
from cnn_mnist.runs.start import StartWeights, fitted
from cnn_mnist.training.augmentation import augmentation_of, none
from cnn_mnist.training.batch_norm import recalibrate_batch_norm, restore_batch_norm
from cnn_mnist.training.cuda_graph import Recorder
from cnn_mnist.training.device import choose_device
from cnn_mnist.training.distributed import Group
from cnn_mnist.training.fast_linear import speed_up
from cnn_mnist.training.hooks import Step
from cnn_mnist.training.optimizer_state import load_state, state_of
from cnn_mnist.training.optimizers import build_optimizer, can_be_recorded, set_learning_rate
from cnn_mnist.training.parts import has_own_part
from cnn_mnist.training.schedules import learning_rate_at
from cnn_mnist.training.seeds import derive_seed, generator

_ALONE: Final = Group()
_STEPS_AHEAD: Final = 100
"""Steps whose image indices are copied to the device at a time."""


class Trainer:
    """A network, its optimizer, and the step that brings both forward.

    Args:
        recipe: how to train.
        split: the training images.
        classes: the number of classes.
        seed: decides the first weights, the order of the images, augmentation and dropout.
        device: `cpu`, `cuda`, `mps`, or `auto` (the first of cuda, mps and cpu that there is).
        group: the processes that train together; each takes its share of every batch.
        start: weights to start from; None draws them from the seed.

    Raises:
        RecipeError: the recipe names an unknown network, optimizer, schedule or augmentation.
        RunError: there is no such device, or the batch is too small to be shared.
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
        start: StartWeights | None = None,
    ) -> None:
        if recipe.batch_size < group.size:
            raise RunError(
                f"{group.size} workers cannot share batches of {recipe.batch_size}: "
                "train with fewer workers"
            )
        self.group = group
        self.recipe = recipe
        self.classes = classes
        self.seed = seed
        self.step = 0
        self.train_seconds = 0.0
        self.stopped: str | None = None  # a hook's reason to end before the last step
        self._augment = augmentation_of(recipe)
        self.device = choose_device(device, group)
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
            torch.backends.cudnn.deterministic = True  # for exact resume
        self._images = as_tensor(split.images).unsqueeze(1).to(self.device)
        self._labels = as_tensor(split.labels).to(self.device, torch.int64)
        self.model = build(recipe, classes, generator(seed, 0, "weights")).to(self.device)
        if start is not None:
            self._start_from(start)
        self._is_own = NETWORKS.is_own(recipe.network)  # it is trained as it is
        if not self._is_own:
            if self.device.type == "mps":  # there torch's gradients are wrong in channels-last
                self.model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
            speed_up(self.model)
        self._draws = bool(recipe.dropout) or has_own_part(recipe)
        self._recorder = self._new_recorder()
        self.optimizer = build_optimizer(recipe, self.model, recorded=self._recorder is not None)
        self._replica = group.replicate(self.model)
        self._share = group.share(recipe.batch_size)
        # the mean over the group of these losses is the loss of the whole batch
        share = self._share.stop - self._share.start
        self._weight = share * group.size / recipe.batch_size
        self._dropout = "dropout" if group.is_main else f"dropout {group.rank}"
        self._batches = BatchOrder(len(split), recipe.batch_size, seed=seed)
        self._order, self._order_from = torch.empty(0), 0

    def _start_from(self, start: StartWeights) -> None:
        """Replace the drawn weights; warn where the last layer keeps its drawn ones."""
        state, drawn = fitted(start, self.model)
        load_weights(self.model, state)
        restore_batch_norm(self.model, self._images)
        if drawn:
            layer = drawn[0].rpartition(".")[0]
            warnings.warn(
                f"{start.source} tells {len(start.class_names)} classes apart, the data has "
                f"{self.classes}: the layer {layer} starts from new weights",
                CnnMnistWarning,
                stacklevel=4,
            )

    def advance(self) -> Step:
        """Do one step: a batch, its loss, the gradients, the update."""
        if self._draws:  # dropout, and whatever a user's own parts draw, from torch's own generator
            torch.manual_seed(derive_seed(self.seed, self.step, self._dropout))
        images, labels = self.batch()
        set_learning_rate(self.optimizer, learning_rate_at(self.recipe, self.step))
        if self._recorder:
            loss, logits = self._recorder.call(self._descend, images, labels)
        else:
            loss, logits = self._descend(images, labels)
        self.step += 1
        return Step(number=self.step, loss=loss, logits=logits, labels=labels, weight=self._weight)

    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images `(B, 1, 28, 28) float32 in [0, 1]` and labels `(B,) int64` of this step.

        Randomness is drawn for the whole batch, which is then shared among the group.
        """
        indices = self._indices()
        images = self._images[indices].to(torch.float32).div_(255)
        if self._augment is not none:
            draw = generator(self.seed, self.step, "augmentation", self.device)
            images = self._augment(images, draw)
        return images[self._share], self._labels[indices[self._share]]

    def _indices(self) -> torch.Tensor:
        """Return the images of this step, `(B,) int64`; copied to the device for many steps."""
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
        """Update the weights by a batch's gradients; return loss and logits from before that."""
        low = self.recipe.precision == "bfloat16"
        own = named_errors(self.recipe.network) if self._is_own else nullcontext()
        with own, torch.autocast(self.device.type, torch.bfloat16, enabled=low):
            logits = self._replica(images)
        if low:
            logits = logits.float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        (loss if self._weight == 1 else loss * self._weight).backward()
        self.optimizer.step()
        return loss.detach(), logits.detach()

    def _new_recorder(self) -> Recorder | None:
        """Return a recorder for a GPU of its own, None elsewhere.

        From here on weights and optimizer state must stay the same tensors. Gradients that are
        exchanged with other processes are not recorded, nor are most optimizers or a network of the
        user's own, whose forward may do anything.
        """
        alone = self.device.type == "cuda" and self.group.size == 1 and not self._is_own
        return Recorder() if alone and can_be_recorded(self.recipe) else None

    def finish(self) -> None:
        """Make the network ready for use, before each checkpoint; training goes on as without it.

        Where training sees augmented images, its running batch-norm statistics are recomputed. No
        step depends on them, so that a resumed run ends with the same ones as an undisturbed run.
        """
        if self._augment is not none:
            recalibrate_batch_norm(self.model, self._images)

    def classify(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Compute the logits `(B, classes) float32` of images `(B, 28, 28) uint8`."""
        return classify(self.model, images)

    def checkpoint(self) -> Checkpoint:
        """Return the state after the steps done."""
        return Checkpoint(
            step=self.step,
            seed=self.seed,
            recipe=self.recipe,
            classes=self.classes,
            weights={name: value.contiguous() for name, value in self.model.state_dict().items()},
            optimizer=state_of(self.optimizer, self.model),
            train_seconds=self.train_seconds,
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint.

        Raises:
            RunError: its tensors do not fit the recipe's network and optimizer.
        """
        load_weights(self.model, checkpoint.weights)
        load_state(self.optimizer, self.model, checkpoint.optimizer)
        self.step = checkpoint.step
        self.train_seconds = checkpoint.train_seconds
        self._recorder = self._new_recorder()
