"""Export a network in TensorFlow's formats.

    keras        `model.keras`: a Keras network, images to logits
    savedmodel   `savedmodel/`: signature `serving_default`, `images` to `classes`, `logits` and
                 `probabilities`
    tflite       `model.tflite`: the same signature for LiteRT, float32
    checkpoint   `model.ckpt-20000/`: the files that the tutorial's program writes

All take images `(N, 28, 28, 1) float32 in [0, 1]`. Each file is opened again by its own runtime and
compared with the network before it replaces an earlier one.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from torch import nn

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.errors import ExportError, first_line, os_errors_as
from cnn_mnist.evaluation.metrics import Logits
from cnn_mnist.export.parity import compare, require_parity
from cnn_mnist.export.tensorflow.checkpoint import find, read, write_checkpoint
from cnn_mnist.export.tensorflow.library import quiet, silent, tensorflow
from cnn_mnist.export.tensorflow.network import keras_network
from cnn_mnist.files import replace_with
from cnn_mnist.networks.classify import classify

_IMAGE: Final = (IMAGE_SIZE, IMAGE_SIZE, 1)
_SIGNATURE: Final = "serving_default"


def export_tensorflow(
    model: nn.Module, path: Path, images: npt.NDArray[np.uint8], *, format_: str, step: int
) -> dict[str, Any]:
    """Write a network for TensorFlow, once the file gives the same logits as the network.

    Args:
        model: the network; it stays as it is.
        path: the file or folder to create or replace.
        images: `(N, 28, 28) uint8`, real ones, on which both are compared.
        format_: one of `FORMATS`.
        step: the network's number of updates, stored in a checkpoint.

    Returns:
        `path`, and what `parity.compare` returns.

    Raises:
        ExportError: a layer has no counterpart; the file differs from the network, see
            `parity.require_parity`; or the file cannot be written. An earlier one stays.
        MissingExtraError: TensorFlow is not installed.
    """
    library = tensorflow()
    chosen = FORMATS[format_]
    result: dict[str, Any] = {"path": str(path)}

    def make(temporary: Path) -> None:
        with quiet():
            chosen.write(model, temporary, step)
            result.update(compare(partial(classify, model), chosen.open(temporary, model), images))
        require_parity(path, result)

    try:
        with os_errors_as(ExportError, f"{path} cannot be written"):
            replace_with(path, make)
    except library.errors.OpError as error:
        raise ExportError(f"{path} cannot be written: {error.message}") from error
    except ValueError as error:  # from Keras, where a layer has settings that it does not know
        raise ExportError(
            f"{path} cannot be written: the network does not fit into Keras layers: "
            f"{first_line(error)}; export it as ONNX"
        ) from error
    return result


def _write_keras(model: nn.Module, path: Path, step: int) -> None:
    if path.suffix != ".keras":
        raise ExportError(f"{path.name}: a Keras file must have the suffix .keras: add it")
    keras_network(model).save(path)


def _open_keras(path: Path, model: nn.Module) -> Logits:
    network = tensorflow().keras.models.load_model(path)
    return lambda images: _array(network.predict_on_batch(_nhwc(images)))


def _write_savedmodel(model: nn.Module, path: Path, step: int) -> None:
    library = tensorflow()
    network = keras_network(model)

    def serve(images: Any) -> dict[str, Any]:
        logits = network(images, training=False)
        return {
            "classes": library.argmax(logits, axis=1),
            "logits": logits,
            "probabilities": library.nn.softmax(logits),
        }

    # not saved_model.save: TensorFlow Lite loses the weights of a Keras network saved by it
    archive = library.keras.export.ExportArchive()
    archive.track(network)
    takes = library.TensorSpec((None, *_IMAGE), library.float32, name="images")
    archive.add_endpoint(_SIGNATURE, serve, [takes])
    archive.write_out(str(path), verbose=False)


def _open_savedmodel(path: Path, model: nn.Module) -> Logits:
    loaded = tensorflow().saved_model.load(str(path))
    run = loaded.signatures[_SIGNATURE]
    constant = tensorflow().constant
    return lambda images: _array(run(images=constant(_nhwc(images)))["logits"])


def _write_tflite(model: nn.Module, path: Path, step: int) -> None:
    folder = path.with_name(f"{path.name}.savedmodel")
    _write_savedmodel(model, folder, step)
    converter = tensorflow().lite.TFLiteConverter.from_saved_model(str(folder))
    path.write_bytes(converter.convert())


def _open_tflite(path: Path, model: nn.Module) -> Logits:
    with silent():  # the first run logs which delegate it uses
        run = tensorflow().lite.Interpreter(str(path)).get_signature_runner(_SIGNATURE)
        run(images=np.zeros((1, *_IMAGE), np.float32))
    return lambda images: _array(run(images=_nhwc(images))["logits"])


def _open_checkpoint(path: Path, model: nn.Module) -> Logits:
    weights, _ = read(find(path), model)
    restored = copy.deepcopy(model)
    restored.load_state_dict(model.state_dict() | weights)
    return partial(classify, restored)


def _nhwc(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return images `(B, 28, 28) uint8` as `(B, 28, 28, 1) float32 in [0, 1]`."""
    scaled: npt.NDArray[np.float32] = images[..., np.newaxis].astype(np.float32) / np.float32(255)
    return scaled


def _array(values: Any) -> npt.NDArray[np.float32]:
    return np.asarray(values, np.float32)


@dataclass(frozen=True, kw_only=True)
class Format:
    """How a network is written in one format, and opened again."""

    file: str
    """The default name of the file or folder."""

    write: Callable[[nn.Module, Path, int], None]
    """Write a network with its step to a path."""

    open: Callable[[Path, nn.Module], Logits]
    """Open what was written with the format's own runtime; the network gives the architecture."""


FORMATS: Final = {
    "keras": Format(file="model.keras", write=_write_keras, open=_open_keras),
    "savedmodel": Format(file="savedmodel", write=_write_savedmodel, open=_open_savedmodel),
    "tflite": Format(file="model.tflite", write=_write_tflite, open=_open_tflite),
    "checkpoint": Format(file="model.ckpt-{step}", write=write_checkpoint, open=_open_checkpoint),
}
