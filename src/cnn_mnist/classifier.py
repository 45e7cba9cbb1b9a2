"""Offer the methods of the tutorial's Estimator over a run directory.

mnist_classifier = Classifier("runs/mnist", recipe="tutorial")
mnist_classifier.train("mnist")
mnist_classifier.evaluate("mnist")   # {"accuracy": ..., "loss": ..., "global_step": 20000, ...}
next(mnist_classifier.predict(images))   # {"classes": 7, "probabilities": ...}
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnn_mnist.data.dataset import IMAGE_SIZE, Dataset, Split
from cnn_mnist.data.load import load
from cnn_mnist.errors import RunError, needs_extra
from cnn_mnist.evaluation.metrics import all_logits, metrics
from cnn_mnist.inference.model import Model, inputs
from cnn_mnist.reading.arrays import to_array
from cnn_mnist.recipe import Recipe
from cnn_mnist.runs.identity import read_identity, recipe_and_seed
from cnn_mnist.runs.json_files import read_json, write_json
from cnn_mnist.runs.lock import locked
from cnn_mnist.runs.run import Run, drop_old_checksums

with needs_extra("train", "training"):
    from torch import nn

    from cnn_mnist.export.network import export_network
    from cnn_mnist.networks.build import build, load_weights
    from cnn_mnist.networks.classify import classify
    from cnn_mnist.runs.checkpoint import Checkpoint, newest
    from cnn_mnist.training.hooks import Hook
    from cnn_mnist.training.loop import train


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """One checkpoint, scored on one split."""

    network: nn.Module
    """On the CPU."""
    logits: npt.NDArray[np.float32]
    """`(N, classes)`, of every image of the split."""
    metrics: dict[str, Any]
    """See `Classifier.evaluate`."""


class Classifier:
    """A network that is trained, evaluated and used in one run directory.

    Training again with the same directory goes on from its newest checkpoint.

    Args:
        run_dir: the run directory; made by the first training.
        recipe: a recipe or its name. None takes the run's own, or `standard` in a new run.
        seed: decides everything random. None takes the run's own, or 0 in a new run.
        device: `cpu`, `cuda`, or `auto` (cuda where there is a GPU).

    Raises:
        RecipeError: no recipe has this name.
        RunError: the directory's `recipe.json` is damaged.
    """

    def __init__(
        self,
        run_dir: Path | str,
        recipe: Recipe | str | None = None,
        *,
        seed: int | None = None,
        device: str = "auto",
    ) -> None:
        self.run = Run(Path(run_dir))
        self.device = device
        self.recipe, self.seed = recipe_and_seed(read_identity(self.run), recipe, seed)

    def train(
        self,
        data: Dataset | str = "auto",
        *,
        steps: int | None = None,
        max_steps: int | None = None,
        hooks: Sequence[Hook] = (),
    ) -> "Classifier":
        """Train, going on from the newest checkpoint; return this classifier.

        Args:
            data: a data set, or what `cnn_mnist.data.load.load` takes.
            steps: how many steps to do from here.
            max_steps: the step to end at. With neither, it is the recipe's.
            hooks: watch the run.

        Raises:
            ValueError: both `steps` and `max_steps` are given.
            CnnMnistError: see `cnn_mnist.training.loop.train` and `cnn_mnist.data.load.load`.
        """
        if steps is not None and max_steps is not None:
            raise ValueError("steps and max_steps exclude each other: give one of them")
        if steps is not None:
            checkpoint = newest(self.run.checkpoints)
            max_steps = (checkpoint.step if checkpoint else 0) + steps
        recipe = self.recipe if max_steps is None else replace(self.recipe, steps=max_steps)
        train(self.run, recipe, _dataset(data), seed=self.seed, device=self.device, hooks=hooks)
        return self

    def evaluate(self, data: Dataset | str = "auto", *, split: str = "test") -> dict[str, Any]:
        """Score the newest checkpoint on every image of a split.

        Args:
            data: a data set, or what `cnn_mnist.data.load.load` takes.
            split: `test`, `validation` or `train`.

        Returns:
            What `cnn_mnist.evaluation.metrics.metrics` returns, and `global_step`, `dataset`,
            `split`, `train_seconds`.

        Raises:
            RunError: nothing was trained here, or on a data set with fewer classes.
            CnnMnistError: see `cnn_mnist.data.load.load`.
        """
        return self.evaluation(data, split=split).metrics

    def evaluation(self, data: Dataset | str = "auto", *, split: str = "test") -> "Evaluation":
        """Score the newest checkpoint, and return network and logits, too; see `evaluate`."""
        return self._evaluation(self._newest(), _dataset(data), split)

    def logits(self, data: Dataset | str = "auto", *, split: str = "test") -> npt.NDArray[Any]:
        """Compute the logits `(N, classes) float32` of a split; see `evaluate`."""
        return self.evaluation(data, split=split).logits

    def network(self) -> nn.Module:
        """Return the newest checkpoint's network, on the CPU.

        Raises:
            RunError: nothing was trained here.
        """
        return _model(self._newest())

    def predict(self, images: object) -> Iterator[dict[str, Any]]:
        """Classify images with `model.onnx`, which is first brought up to the newest checkpoint.

        Args:
            images: an array, torch tensor or list `(N, 28, 28)`, uint8 or in [0, 1]; 0 is paper.

        Yields:
            For each image `classes`, the most probable class, and `probabilities`,
            `(classes,) float32`.

        Raises:
            RunError: nothing was trained here.
            ImageError: the images are of another shape, type or range.
        """
        array, model = to_array(images), self._current_model()
        if model is None:
            self.export(_as_uint8(array))
            model = Model(self.run.model_file)
        for row in model.predict(array)[1]:
            yield {"classes": int(row.argmax()), "probabilities": row}

    def export(
        self,
        images: npt.NDArray[np.uint8],
        *,
        format_: str = "onnx",
        path: Path | None = None,
        calibration: Split | None = None,
        weights: str = "float32",
        scales: npt.NDArray[np.uint8] | None = None,
    ) -> dict[str, Any]:
        """Write the newest checkpoint as a model file, compared with it on `images`.

        An ONNX file carries recipe, data set, global_step and, where `evaluation.json` is of that
        step, accuracy.

        Args:
            images: `(N, 28, 28) uint8`, real ones.
            format_: see `cnn_mnist.export.network.export_network`, as the others.
            path: the file or folder; None takes a name for each variant in the run directory.
            calibration: see there.
            weights: see there.
            scales: see there.

        Returns:
            What `cnn_mnist.export.onnx.export_onnx` returns.

        Raises:
            MissingExtraError: TensorFlow is needed, and not installed.
            RunError: nothing was trained here.
            ExportError: the file does not give what the network gives, or cannot be written.
        """
        if path is None or path.resolve() == self.run.model_file.resolve():
            drop_old_checksums(self.run)
        checkpoint = self._newest()
        return export_network(
            _model(checkpoint),
            self._metadata(checkpoint),
            images,
            folder=self.run.path,
            format_=format_,
            path=path,
            calibration=calibration,
            weights=weights,
            scales=scales,
        )

    def finish(self, data: Dataset | str = "auto") -> dict[str, Any]:
        """Score the newest checkpoint on the test split, keep the metrics, and export it.

        Args:
            data: a data set, or what `cnn_mnist.data.load.load` takes.

        Returns:
            What `evaluate` returns, as written to `evaluation.json`.

        Raises:
            CnnMnistError: see `evaluate` and `export`.
        """
        dataset = _dataset(data)
        with locked(self.run.path):
            drop_old_checksums(self.run)
            checkpoint = self._newest()
            evaluation = self._evaluation(checkpoint, dataset, "test")
            write_json(self.run.evaluation_file, evaluation.metrics)
            export_network(
                evaluation.network,
                self._metadata(checkpoint),
                dataset.test.images,
                folder=self.run.path,
            )
        return evaluation.metrics

    def _evaluation(self, checkpoint: Checkpoint, dataset: Dataset, split: str) -> "Evaluation":
        if dataset.classes > checkpoint.classes:
            raise RunError(
                f"{self.run.path} was trained on {checkpoint.classes} classes, {dataset.name} has "
                f"{dataset.classes}: choose another run or another data set"
            )
        network = _model(checkpoint)
        logits = all_logits(partial(classify, network), dataset.splits[split])
        result = metrics(logits, dataset.splits[split].labels)
        about = {
            "accuracy": result.pop("accuracy"),
            "loss": result.pop("loss"),
            "global_step": checkpoint.step,
            "dataset": dataset.name,
            "split": split,
            "train_seconds": checkpoint.train_seconds,
        }
        return Evaluation(network=network, logits=logits, metrics=about | result)

    def _newest(self) -> Checkpoint:
        checkpoint = newest(self.run.checkpoints)
        if checkpoint is None:
            raise RunError(f"{self.run.path} holds no trained network: train one there first")
        return checkpoint

    def _metadata(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Return what an ONNX file of a checkpoint carries."""
        identity = read_identity(self.run)
        metadata: dict[str, Any] = {
            "recipe": checkpoint.recipe.to_dict(),
            "dataset": identity.dataset if identity else "unknown",
            "dataset_sha256": identity.dataset_sha256 if identity else "unknown",
            "seed": checkpoint.seed,
            "global_step": checkpoint.step,
        }
        evaluation = read_json(self.run.evaluation_file)
        if evaluation and evaluation.get("global_step") == checkpoint.step:
            metadata["accuracy"] = evaluation.get("accuracy")
        return metadata

    def _current_model(self) -> Model | None:
        """Return `model.onnx`, if it is of the newest checkpoint's step."""
        step = self._newest().step
        if not self.run.model_file.exists():
            return None
        model = Model(self.run.model_file)
        return model if model.metadata.get("global_step") == str(step) else None


def _dataset(data: Dataset | str) -> Dataset:
    return load(data) if isinstance(data, str) else data


def _model(checkpoint: Checkpoint) -> nn.Module:
    model = build(checkpoint.recipe, checkpoint.classes)
    load_weights(model, checkpoint.weights)
    return model


def _as_uint8(images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return the same images, `(N, 28, 28)`; refuse what `Model.predict` refuses."""
    batches = [np.round(batch[:, 0] * 255).astype(np.uint8) for batch in inputs(images)]
    return np.concatenate(batches) if batches else np.empty((0, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
