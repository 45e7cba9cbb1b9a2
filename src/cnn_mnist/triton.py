"""A model file as a Triton model repository: what outgrows `serve` moves there with its clients.

Source: Triton's description of the model repository and of the model configuration,
https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/.
"""

from pathlib import Path
from typing import Final

from cnn_mnist.errors import ExportError
from cnn_mnist.files import replace
from cnn_mnist.image import SIZE
from cnn_mnist.infer import BATCH_SIZE, Model

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
    """Where a repository keeps the model; the folders are made.

    Raises:
        ExportError: they cannot be made.
    """
    folder = repository / NAME / VERSION
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(f"{folder} cannot be made: {error.strerror or error}") from error
    return folder / "model.onnx"


def write_config(repository: Path) -> Path:
    """Write the configuration of the model that lies in a repository.

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
    content = _CONFIG.format(name=NAME, batch=BATCH_SIZE, size=SIZE, outputs=outputs)
    path = repository / NAME / "config.pbtxt"
    try:
        replace(path, content.encode("ascii"))
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}") from error
    return path
