"""The Open Inference Protocol v2, as far as one network needs it: requests to images and back.

Tensors come and go as JSON, or as bytes after the JSON (the protocol's binary tensor extension).
Source: the protocol's own text, https://github.com/kserve/open-inference-protocol, and KServe's and
Triton's description of the extension. Whatever is accepted here is also accepted by Triton with the
same `model.onnx`. Not covered: shared memory, sequences, types other than FP32.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.errors import CnnMnistError
from cnn_mnist.export.triton import NAME, VERSION
from cnn_mnist.inference.model import BATCH_SIZE

OUTPUTS: Final = ("logits", "probabilities")
HEADER: Final = "inference-header-content-length"
"""How many bytes of a body are JSON, where tensors follow it as bytes."""

_FLOAT: Final = np.dtype("<f4")


class ProtocolError(CnnMnistError):
    """A request that is not of the protocol's form, or not of this network's."""


@dataclass(frozen=True, eq=False)
class Request:
    """An inference request."""

    images: npt.NDArray[np.float32]
    """`(N, 1, 28, 28)` in [0, 1], N from 1 to 256."""
    outputs: tuple[str, ...]
    """Those of `OUTPUTS` that are wanted."""
    binary: frozenset[str]
    """Those that are wanted as bytes."""
    id: str | None
    """To be given back."""


def server_metadata() -> dict[str, Any]:
    """The answer of `GET /v2`."""
    return {"name": NAME, "version": "2", "extensions": ["binary_tensor_data"]}


def model_metadata(classes: int) -> dict[str, Any]:
    """The answer of `GET /v2/models/cnn-mnist`."""
    tensors = [
        ("images", [-1, 1, IMAGE_SIZE, IMAGE_SIZE]),
        *((name, [-1, classes]) for name in OUTPUTS),
    ]
    images, *outputs = (
        {"name": name, "datatype": "FP32", "shape": shape} for name, shape in tensors
    )
    return {
        "name": NAME,
        "versions": [VERSION],
        "platform": "onnxruntime_onnx",
        "inputs": [images],
        "outputs": outputs,
    }


def parse(body: bytes, header_bytes: int | None = None) -> Request:
    """A request's bytes to images.

    Args:
        body: JSON, and the tensors' bytes after it.
        header_bytes: how many of them are JSON; None: all.

    Raises:
        ProtocolError: it is of another form.
    """
    header_bytes = len(body) if header_bytes is None else header_bytes
    if not 0 <= header_bytes <= len(body):
        raise ProtocolError(f"{HEADER} is {header_bytes}, of {len(body)} bytes in the body")
    try:
        # a bytes object, not a view: what orjson copies least
        message = orjson.loads(body[:header_bytes] if header_bytes < len(body) else body)
    except orjson.JSONDecodeError as error:
        raise ProtocolError(f"the body is no JSON: {error}") from error
    if not isinstance(message, dict):
        raise ProtocolError("the request is no JSON object")
    id_ = message.get("id")
    if id_ is not None and not isinstance(id_, str):
        raise ProtocolError("id is no string")
    wanted = _list(message, "outputs") if "outputs" in message else []
    whole = _mapping(message, "parameters").get("binary_data_output") is True
    names, binary = [], set()
    for output in wanted or [{"name": name} for name in OUTPUTS]:
        name = output.get("name")
        if name not in OUTPUTS:
            raise ProtocolError(f"there is no output {name!r}: the outputs are {OUTPUTS}")
        names.append(name)
        if _mapping(output, "parameters").get("binary_data", whole) is True:
            binary.add(name)
    images = _images(_list(message, "inputs"), body[header_bytes:])
    return Request(images, tuple(dict.fromkeys(names)), frozenset(binary), id_)


def render(
    request: Request, logits: npt.NDArray[np.float32], probabilities: npt.NDArray[np.float32]
) -> tuple[bytes, int | None]:
    """The answer's bytes, and how many of them are JSON; None: all."""
    values = dict(zip(OUTPUTS, (logits, probabilities), strict=True))
    outputs: list[dict[str, Any]] = []
    after = []
    for name in request.outputs:
        output: dict[str, Any] = {"name": name, "datatype": "FP32", "shape": values[name].shape}
        if name in request.binary:
            after.append(np.ascontiguousarray(values[name], _FLOAT).tobytes())
            output["parameters"] = {"binary_data_size": len(after[-1])}
        else:
            output["data"] = values[name].ravel()
        outputs.append(output)
    answer = {"model_name": NAME, "model_version": VERSION, "outputs": outputs}
    if request.id is not None:
        answer["id"] = request.id
    header = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    return b"".join([header, *after]), len(header) if after else None


def _images(inputs: Sequence[Mapping[str, Any]], after: bytes) -> npt.NDArray[np.float32]:
    if len(inputs) != 1 or inputs[0].get("name") != "images":
        raise ProtocolError("inputs are one tensor, named images")
    (tensor,) = inputs
    if tensor.get("datatype") != "FP32":
        raise ProtocolError(f"images have datatype {tensor.get('datatype')!r}: expected FP32")
    shape = tensor.get("shape")
    if not (
        isinstance(shape, list)
        and all(type(side) is int for side in shape)
        and shape[1:] == [1, IMAGE_SIZE, IMAGE_SIZE]
        and 1 <= shape[0] <= BATCH_SIZE
    ):
        raise ProtocolError(
            f"images have shape {shape}: expected [N, 1, 28, 28], N from 1 to {BATCH_SIZE}"
        )
    size = _mapping(tensor, "parameters").get("binary_data_size")
    values = _numbers(tensor) if size is None else _bytes(after, size)
    if values.size != shape[0] * IMAGE_SIZE * IMAGE_SIZE:
        raise ProtocolError(f"images hold {values.size} values: shape {shape} has another number")
    if not (values.min() >= 0 and values.max() <= 1):  # written so that NaN fails too
        raise ProtocolError("images have values in [0, 1], these go beyond")
    return values.astype(np.float32, copy=False).reshape(shape)


def _numbers(tensor: Mapping[str, Any]) -> npt.NDArray[Any]:
    try:
        values = np.asarray(tensor.get("data"))
    except ValueError as error:  # lists of several lengths
        raise ProtocolError("images' data is no array") from error
    if values.dtype.kind not in "iuf":
        raise ProtocolError("images' data is no array of numbers")
    return values


def _bytes(after: bytes, size: object) -> npt.NDArray[np.float32]:
    if type(size) is not int or size != len(after) or size % _FLOAT.itemsize:
        raise ProtocolError(f"images' binary_data_size is {size}: {len(after)} bytes follow")
    return np.frombuffer(after, _FLOAT)


def _list(message: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = message.get(key)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ProtocolError(f"{key} is no list of objects")
    return value


def _mapping(message: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = message.get(key, {})
    if not isinstance(value, dict):
        raise ProtocolError(f"{key} is no object")
    return value
