"""Lay a model file out as a Triton model repository, which serves the same clients as `serve`.

Source: Triton's description of the model repository and of the model configuration,
https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/.
"""

from pathlib import Path
from typing import Final

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.errors import ExportError, os_errors_as
from cnn_mnist.files import replace
from cnn_mnist.inference.model import BATCH_SIZE, Model

NAME: Final = "cnn-mnist"
VERSION: Final = "1"

_OUTPUT: Final = '{{ name: "{name}" data_type: TYPE_FP32 dims: [ {classes} ] }}'
_CONFIG: Final = """\
name: "{name}"
platform: "onnxruntime_onnx"
max_batch_size: {batch}
input [ {{ name: "images" data_type: TYPE_FP32 dims: [ 1, {size}, {size} ] }} ]
output [ {outputs} ]
dynamic_batching {{ }}
"""


def model_file(repository: Path) -> Path:
    """Return where a repository keeps the model; the folders are created.

    Raises:
        ExportError: they cannot be created.
    """
    folder = repository / NAME / VERSION
    with os_errors_as(ExportError, f"{folder} cannot be created"):
        folder.mkdir(parents=True, exist_ok=True)
    return folder / "model.onnx"


def write_config(repository: Path) -> Path:
    """Write the configuration of the model in a repository.

    Returns:
        Its path.

    Raises:
        ModelError: the model cannot be used.
        ExportError: it cannot be written.
    """
    classes = Model(model_file(repository)).classes
    outputs = ", ".join(
        _OUTPUT.format(name=name, classes=classes) for name in ("logits", "probabilities")
    )
    content = _CONFIG.format(name=NAME, batch=BATCH_SIZE, size=IMAGE_SIZE, outputs=outputs)
    path = repository / NAME / "config.pbtxt"
    with os_errors_as(ExportError, f"{path} cannot be written"):
        replace(path, content.encode("ascii"))
    return path
