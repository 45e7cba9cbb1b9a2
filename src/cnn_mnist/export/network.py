"""Export a network in any format and variant, each under a name of its own."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from cnn_mnist.data.dataset import Split
from cnn_mnist.evaluation.calibration import fit_temperature
from cnn_mnist.evaluation.metrics import all_logits
from cnn_mnist.export.onnx import export_onnx
from cnn_mnist.export.temperature import fold_temperature
from cnn_mnist.export.tensorflow.formats import FORMATS, export_tensorflow
from cnn_mnist.networks.classify import classify


def export_network(
    model: nn.Module,
    metadata: Mapping[str, Any],
    images: npt.NDArray[np.uint8],
    *,
    folder: Path,
    stem: str = "model",
    format_: str = "onnx",
    path: Path | None = None,
    calibration: Split | None = None,
    weights: str = "float32",
    scales: npt.NDArray[np.uint8] | None = None,
) -> dict[str, Any]:
    """Write a network as a model file, compared with it on `images`.

    Args:
        model: the network; it stays as it is.
        metadata: kept in an ONNX file; `global_step` is needed.
        images: `(N, 28, 28) uint8`, real ones.
        folder: where the file goes if `path` is None, under a name that says its variant.
        stem: the first part of that name.
        format_: `onnx`, or one of `cnn_mnist.export.tensorflow.formats.FORMATS`.
        path: the file or folder to write.
        calibration: images that were not trained on: the temperature that fits them best divides
            the logits, and is kept in the file.
        weights: of an ONNX file, see `cnn_mnist.export.onnx.export_onnx`.
        scales: of an ONNX file, see there.

    Returns:
        See `cnn_mnist.export.onnx.export_onnx`.

    Raises:
        MissingExtraError: TensorFlow is needed, and not installed.
        ExportError: see there.
    """
    if calibration is not None:
        logits = all_logits(partial(classify, model), calibration)
        temperature = fit_temperature(logits, calibration.labels)
        before = float(metadata.get("temperature", 1))  # of a file that is calibrated already
        metadata = {**metadata, "temperature": before * temperature}
        model = fold_temperature(model, temperature)
    if format_ != "onnx":
        step = int(metadata["global_step"])
        path = path or folder / FORMATS[format_].file.format(step=step)
        return export_tensorflow(model, path, images, format_=format_, step=step)
    calibrated, int8_weights, int8 = calibration is not None, weights == "int8", scales is not None
    variants = {"calibrated": calibrated, "int8-weights": int8_weights, "int8": int8}
    name = "-".join([stem, *(variant for variant, chosen in variants.items() if chosen)])
    path = path or folder / f"{name}.onnx"
    return export_onnx(model, path, images, metadata, weights=weights, scales=scales)
