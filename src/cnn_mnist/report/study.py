"""All that a report shows of one run, as plain values and arrays."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from cnn_mnist.classifier import Classifier
from cnn_mnist.data.dataset import IMAGE_SIZE, Dataset
from cnn_mnist.errors import RunError
from cnn_mnist.evaluation.calibration import reliability
from cnn_mnist.evaluation.mistakes import Mistake, worst_mistakes
from cnn_mnist.networks.table import describe
from cnn_mnist.networks.trace import layer_table, trace
from cnn_mnist.runs.identity import read_identity
from cnn_mnist.runs.json_files import read_json
from cnn_mnist.runs.run import Run, read_metrics

MISTAKES: Final = 40


@dataclass(frozen=True, eq=False, kw_only=True)
class Activation:
    """What one layer gives for one image."""

    name: str
    kind: str
    values: npt.NDArray[np.float32]
    """`(channels, height, width)`, or `(units,)`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Study:
    """One run, looked at from all sides."""

    path: Path
    about: dict[str, Any]
    """`recipe.json`: recipe, data set and its hash, seed, versions, machine."""
    metrics: list[dict[str, float]]
    """`metrics.jsonl`: one row a look."""
    table: dict[str, Any]
    """The layers; see `cnn_mnist.model.describe`."""
    figures: dict[str, Any]
    """What `Classifier.evaluate` returns for the test split."""
    bins: list[tuple[int, float, float]]
    """See `cnn_mnist.calibration.reliability`."""
    mistakes: list[Mistake]
    """The worst first."""
    mistaken: list[npt.NDArray[np.uint8]]
    """Their images, each `(28, 28)`."""
    kernels: npt.NDArray[np.float32]
    """The first layer's weights as pictures, `(filters, height, width)`."""
    image: npt.NDArray[np.uint8]
    """`(28, 28)`, the test image that is followed through the network."""
    label: int
    """What it is said to be."""
    activations: list[Activation]
    """What each layer makes of it, in order; the last one gives the logits."""


def study(run_dir: Path, dataset: Dataset) -> Study:
    """Look at a run's newest checkpoint, on the test images of its data set.

    Raises:
        RunError: it is no run directory, nothing was trained there, or on fewer classes.
        CheckpointError: no checkpoint is whole.
        NonFiniteLossError: the network gives no finite logits.
    """
    run = Run(run_dir)
    if read_identity(run) is None:
        raise RunError(f"{run_dir} is no run directory: it has no recipe.json")
    classifier = Classifier(run_dir)
    logits = classifier.logits(dataset)
    network = classifier.network()
    mistakes = worst_mistakes(logits, dataset.test.labels, most=MISTAKES)
    return Study(
        path=run_dir,
        about=read_json(run.recipe_file) or {},
        metrics=read_metrics(run),
        table=describe(layer_table(network)),
        figures=classifier.score(logits, dataset),
        bins=bins(logits, dataset.test.labels),
        mistakes=mistakes,
        mistaken=[dataset.test.images[mistake.index] for mistake in mistakes],
        kernels=kernels(network),
        image=dataset.test.images[0],
        label=int(dataset.test.labels[0]),
        activations=activations(network, dataset.test.images[0]),
    )


def kernels(network: nn.Module) -> npt.NDArray[np.float32]:
    """The weights of the first layer that has any, `(filters, height, width)`.

    A convolution's are its filters; a dense layer's, that sees the image itself, are as large as
    the image.
    """
    first = next(m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear))
    weights: npt.NDArray[np.float32] = first.weight.detach().numpy()
    side = IMAGE_SIZE if isinstance(first, nn.Linear) else weights.shape[-1]
    return np.ascontiguousarray(weights).reshape(len(weights), side, side)


def activations(network: nn.Module, image: npt.NDArray[np.uint8]) -> list[Activation]:
    """What each layer makes of one image `(28, 28)`."""
    batch = torch.from_numpy(image.astype(np.float32) / 255)[None, None]
    return [
        Activation(name=name, kind=type(layer).__name__, values=output[0].numpy())
        for name, layer, output in trace(network, batch)
    ]


def bins(
    logits: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]
) -> list[tuple[int, float, float]]:
    """The reliability of logits `(N, classes)`; see `cnn_mnist.calibration.reliability`."""
    total = np.logaddexp.reduce(logits, axis=1, dtype=np.float64)
    return reliability(np.exp(logits.max(axis=1) - total), logits.argmax(axis=1) == labels)
