"""Open the trained network of a run, and score it."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from cnn_mnist.data.class_names import default_names
from cnn_mnist.data.dataset import Dataset
from cnn_mnist.errors import CheckpointError, RunError
from cnn_mnist.evaluation.metrics import all_logits, evaluate, metrics
from cnn_mnist.networks.build import build, load_weights
from cnn_mnist.networks.classify import classify
from cnn_mnist.runs.checkpoint import Checkpoint, newest
from cnn_mnist.runs.identity import Identity, read_identity
from cnn_mnist.runs.json_files import read_json
from cnn_mnist.runs.run import Run
from cnn_mnist.runs.start import StartWeights


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """One checkpoint, scored on one split."""

    network: nn.Module
    """On the CPU."""
    logits: npt.NDArray[np.float32]
    """`(N, classes)`, of every image of the split."""
    dataset: Dataset
    """Of the split, with the network's classes."""
    metrics: dict[str, Any]
    """See `cnn_mnist.Classifier.evaluate`."""


class TrainedRun:
    """The checkpoint of a run that is scored, exported and used, and what belongs to it.

    It is the best one where the run keeps it, else the newest one.

    Raises:
        RunError: nothing was trained there.
        CheckpointError: no checkpoint is whole, or the best one is not.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.checkpoint: Checkpoint = _chosen(run)
        self.identity: Identity | None = read_identity(run)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the network's classes."""
        if self.identity is None:
            return default_names(self.checkpoint.classes)
        return self.identity.class_names

    def network(self) -> nn.Module:
        """Return the network, on the CPU, in eval mode.

        Raises:
            RecipeError: it is the user's own, and was not named.
        """
        model = build(self.checkpoint.recipe, self.checkpoint.classes)
        load_weights(model, self.checkpoint.weights)
        return model.eval()

    def metadata(self) -> dict[str, Any]:
        """Return what an ONNX file of the checkpoint carries."""
        checkpoint, identity = self.checkpoint, self.identity
        metadata: dict[str, Any] = {
            "recipe": checkpoint.recipe.to_dict(),
            "dataset": identity.dataset if identity else "unknown",
            "dataset_sha256": identity.dataset_sha256 if identity else "unknown",
            "class_names": self.class_names,
            "seed": checkpoint.seed,
            "global_step": checkpoint.step,
        }
        evaluation = read_json(self.run.evaluation_file)
        if evaluation and evaluation.get("global_step") == checkpoint.step:
            metadata["accuracy"] = evaluation.get("accuracy")
        return metadata

    def evaluate(self, dataset: Dataset, split: str) -> Evaluation:
        """Score the network on every image of a split, `test`, `validation` or `train`.

        Raises:
            RunError: the data set has more classes than the network.
            DataError: the data set has a class whose name the run does not know.
            NonFiniteLossError: a logit is NaN or infinite.
        """
        checkpoint = self.checkpoint
        if dataset.classes > checkpoint.classes:
            raise RunError(
                f"{self.run.path} was trained on {checkpoint.classes} classes, {dataset.name} has "
                f"{dataset.classes}: choose another run or another data set"
            )
        network, names = self.network(), self.class_names
        if self.identity is not None:
            dataset = dataset.split_as(self.identity.dataset_sha256)
        dataset = dataset.numbered_as(names)
        images = dataset.splits[split]
        logits = all_logits(partial(classify, network), images)
        result = metrics(logits, images.labels, names)
        about = {
            "accuracy": result.pop("accuracy"),
            "loss": result.pop("loss"),
            "global_step": checkpoint.step,
            "dataset": dataset.name,
            "split": split,
            "train_seconds": checkpoint.train_seconds,
        }
        return Evaluation(network=network, logits=logits, dataset=dataset, metrics=about | result)

    def known_metrics(self, known: Dataset, start: StartWeights | None) -> dict[str, Any]:
        """Score what must not be forgotten: the test split of a known data set.

        Args:
            known: the data set.
            start: the weights that the run started from, where they are at hand.

        Returns:
            `known_dataset`, `known_accuracy` and, with `start`, `known_accuracy_before`.
        """
        networks = {"known_accuracy": self.network()}
        if start is not None:
            before = build(self.checkpoint.recipe, len(start.class_names))
            load_weights(before, start.weights)
            networks["known_accuracy_before"] = before.eval()
        return {"known_dataset": known.name} | {
            key: evaluate(partial(classify, network), known.test)["accuracy"]
            for key, network in networks.items()
        }


def _chosen(run: Run) -> Checkpoint:
    """Return the best checkpoint where the run keeps it, else the newest."""
    try:
        best = newest(run.best)
    except CheckpointError as error:
        raise CheckpointError(
            f"{error}; remove {run.best} to use the newest checkpoint instead"
        ) from error
    checkpoint = best or newest(run.checkpoints)
    if checkpoint is None:
        raise RunError(f"{run.path} holds no trained network: train one there first")
    return checkpoint
