"""Turn the tutorial's Estimator checkpoint into a run, and compute the Estimator's loss."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.data.catalog import MNIST
from cnn_mnist.errors import RunError
from cnn_mnist.evaluation.metrics import metrics
from cnn_mnist.export.tensorflow.checkpoint import find, read
from cnn_mnist.networks.build import build
from cnn_mnist.recipe import named
from cnn_mnist.runs.checkpoint import Checkpoint, found, save
from cnn_mnist.runs.identity import Identity, write_identity
from cnn_mnist.runs.run import Run

CLASSES: Final = 10

MNIST_SHA256: Final = "40a30d4e4eb9bb87da05901915179d2705f4de43ccd2af7c4d73aefea50e991a"
"""`Dataset.sha256` of MNIST, so that an import need not load it."""

EVALUATION_BATCH: Final = 128
"""The default batch size of `numpy_input_fn`, which the tutorial's evaluation uses."""


def read_checkpoint(source: Path) -> Checkpoint:
    """Read a checkpoint of the tutorial's program as a checkpoint of the recipe `tutorial`.

    Args:
        source: see `checkpoint.find`.

    Returns:
        Weights and step. Seed and training time are 0, since TensorFlow stores neither; plain SGD
        has no optimizer state.

    Raises:
        CheckpointError: it is missing, damaged, or of another network.
        MissingExtraError: TensorFlow is not installed.
    """
    recipe = named("tutorial")
    weights, step = read(find(source), build(recipe, CLASSES))
    return Checkpoint(
        step=step,
        seed=0,
        recipe=recipe,
        classes=CLASSES,
        weights=weights,
        optimizer={},
        train_seconds=0.0,
    )


def start_run(run: Run, checkpoint: Checkpoint) -> None:
    """Make a run directory from a checkpoint, so that training there goes on from it.

    Args:
        run: the run directory to make.
        checkpoint: what `read_checkpoint` returned.

    Raises:
        RunError: the directory already holds a run, or cannot be written.
        CheckpointError: the checkpoint cannot be written.
    """
    if run.recipe_file.exists() or found(run.checkpoints):
        raise RunError(f"{run.path} already holds a run: choose another run directory")
    # recipe.json is written last: without it an interrupted import does not look like a run
    save(run.checkpoints, checkpoint)
    identity = Identity(
        recipe=checkpoint.recipe,
        dataset=MNIST.name,
        dataset_sha256=MNIST_SHA256,
        classes=checkpoint.classes,
        seed=checkpoint.seed,
    )
    write_identity(run, identity)


def estimator_loss(logits: npt.NDArray[Any], labels: npt.NDArray[np.uint8]) -> float:
    """Compute the loss that `Estimator.evaluate` prints in the tutorial.

    It is the mean of the batches' means, which gives each image of the last, short batch a larger
    weight: 16 of the 10,000 test images count eightfold.

    Args:
        logits: `(N, classes)`.
        labels: `(N,)`.
    """
    batches = [
        metrics(logits[start : start + EVALUATION_BATCH], labels[start : start + EVALUATION_BATCH])
        for start in range(0, len(labels), EVALUATION_BATCH)
    ]
    return float(np.mean([batch["loss"] for batch in batches]))
