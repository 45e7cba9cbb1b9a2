"""What the tutorial's Estimator left: its checkpoint as a run, and its loss as it counted it."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.checkpoint import Checkpoint, found, save
from cnn_mnist.data.catalog import MNIST
from cnn_mnist.errors import RunError
from cnn_mnist.evaluate import figures
from cnn_mnist.model import build
from cnn_mnist.recipe import named
from cnn_mnist.run import Identity, Run, write_identity
from cnn_mnist.tensorflow.checkpoint import find, read

CLASSES: Final = 10

MNIST_SHA256: Final = "40a30d4e4eb9bb87da05901915179d2705f4de43ccd2af7c4d73aefea50e991a"
"""`Dataset.sha256` of what the tutorial trains on, known here so that it need not be at hand."""

EVALUATION_BATCH: Final = 128
"""Images in a batch of `numpy_input_fn`, where the tutorial's evaluation sets none."""


def read_checkpoint(source: Path) -> Checkpoint:
    """A checkpoint of the tutorial's program, as one that its recipe goes on from.

    Args:
        source: see `checkpoint.find`.

    Returns:
        Weights and step; the seed is 0 and the time 0, for neither is kept there. Plain SGD has no
        state.

    Raises:
        CheckpointError: there is none, it is damaged, or of another network.
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
    """Make a run directory of a checkpoint of the tutorial's, so that training there goes on.

    Raises:
        RunError: the directory holds a run already, or cannot be written.
        CheckpointError: the checkpoint cannot be written.
    """
    if run.recipe_file.exists() or found(run.checkpoints):
        raise RunError(f"{run.path} holds a run already: choose another run directory")
    # A run is known by its recipe.json: without it, whatever stopped this is noticed.
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
    """The loss that `Estimator.evaluate` prints in the tutorial.

    It is the mean of the batches' means, which gives each image of the last, short batch a larger
    weight: for the test images 16 of 10,000 count eightfold.

    Args:
        logits: `(N, classes)`.
        labels: `(N,)`.
    """
    batches = [
        figures(logits[start : start + EVALUATION_BATCH], labels[start : start + EVALUATION_BATCH])
        for start in range(0, len(labels), EVALUATION_BATCH)
    ]
    return float(np.mean([batch["loss"] for batch in batches]))
