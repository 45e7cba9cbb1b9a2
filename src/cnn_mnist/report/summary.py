"""Gather everything that a report shows of one run, as plain values and arrays."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from cnn_mnist.classifier import Classifier
from cnn_mnist.data.dataset import IMAGE_SIZE, Dataset
from cnn_mnist.evaluation.calibration import reliability
from cnn_mnist.evaluation.mistake_sheet import Mistake, worst_mistakes
from cnn_mnist.evaluation.softmax import softmax
from cnn_mnist.networks.table import describe
from cnn_mnist.networks.trace import layer_table, trace
from cnn_mnist.runs.identity import require_identity
from cnn_mnist.runs.json_files import read_json
from cnn_mnist.runs.run import Run, read_metrics

MISTAKES: Final = 40
"""The largest number of misread images on a page."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Activation:
    """The output of one layer for one image."""

    name: str
    kind: str
    values: npt.NDArray[np.float32]
    """`(channels, height, width)`, or `(units,)`; an output of another rank is flattened."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Summary:
    """The settings, layers, metrics and pictures of one run."""

    path: Path
    """The run directory."""
    settings: dict[str, Any]
    """`recipe.json`: recipe, data set and its hash, seed, versions, machine."""
    history: list[dict[str, float]]
    """`metrics.jsonl`: the metrics of training and validation, in the order of the steps."""
    table: dict[str, Any]
    """The layers; see `cnn_mnist.networks.table.describe`."""
    class_names: tuple[str, ...]
    """The network's."""
    metrics: dict[str, Any]
    """What `Classifier.evaluate` returns for the test split."""
    bins: list[tuple[int, float, float]]
    """See `cnn_mnist.evaluation.calibration.reliability`."""
    mistakes: list[Mistake]
    """The worst first."""
    mistaken_images: list[npt.NDArray[np.uint8]]
    """Their images, each `(28, 28)`."""
    kernels: npt.NDArray[np.float32] | None
    """See the function `kernels`."""
    image: npt.NDArray[np.uint8]
    """`(28, 28)`, the test image whose activations are shown."""
    label: int
    """The true label of `image`."""
    activations: list[Activation]
    """The output of each layer for `image`, in order."""
    probabilities: npt.NDArray[np.float64]
    """`(classes,)`, of `image`."""


def summarize(run_dir: Path, dataset: Dataset) -> Summary:
    """Summarize a run, its best or newest checkpoint evaluated on the test images of a data set.

    Raises:
        RunError: it is not a run directory, nothing was trained there, or on fewer classes than
            `dataset` has.
        CheckpointError: no checkpoint is whole.
        NonFiniteLossError: a logit is NaN or infinite.
    """
    run = Run(run_dir)
    require_identity(run)
    evaluation = Classifier(run_dir).evaluation(dataset)
    logits, network, test = evaluation.logits, evaluation.network, evaluation.dataset.test
    mistakes = worst_mistakes(logits, test.labels, most=MISTAKES)
    return Summary(
        path=run_dir,
        settings=read_json(run.recipe_file) or {},
        history=read_metrics(run),
        table=describe(layer_table(network)),
        class_names=evaluation.dataset.class_names,
        metrics=evaluation.metrics,
        bins=reliability_bins(logits, test.labels),
        mistakes=mistakes,
        mistaken_images=[test.images[mistake.index] for mistake in mistakes],
        kernels=kernels(network),
        image=test.images[0],
        label=int(test.labels[0]),
        activations=activations(network, test.images[0]),
        probabilities=softmax(logits[0]),
    )


def kernels(network: nn.Module) -> npt.NDArray[np.float32] | None:
    """Return the weights that are applied to the image itself, `(filters, height, width)`.

    The filters of a convolution have its kernel's size, those of a dense layer the image's size.
    None where the network has neither.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.in_channels == 1:
            weights, size = layer.weight, layer.kernel_size
        elif isinstance(layer, nn.Linear) and layer.in_features == IMAGE_SIZE**2:
            weights, size = layer.weight, (IMAGE_SIZE, IMAGE_SIZE)
        else:
            continue
        return weights.detach().contiguous().reshape(-1, *size).numpy()
    return None


def activations(network: nn.Module, image: npt.NDArray[np.uint8]) -> list[Activation]:
    """Return the output of each layer for one image `(28, 28) uint8`."""
    batch = torch.from_numpy(image.astype(np.float32) / 255)[None, None]
    return [
        Activation(
            name=name,
            kind=type(layer).__name__,
            values=(output[0] if output[0].ndim == 3 else output[0].flatten()).float().numpy(),
        )
        for name, layer, output in trace(network, batch)
    ]


def reliability_bins(
    logits: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]
) -> list[tuple[int, float, float]]:
    """Return the reliability of logits `(N, classes)` against labels `(N,)`.

    Returns:
        See `cnn_mnist.evaluation.calibration.reliability`.
    """
    return reliability(softmax(logits).max(axis=1), logits.argmax(axis=1) == labels)
