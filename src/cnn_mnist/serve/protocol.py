"""Parse requests and render responses of the Open Inference Protocol v2, for one network.

Tensors are JSON, or bytes after the JSON (the protocol's binary tensor extension). Source: the
protocol's text, https://github.com/kserve/open-inference-protocol, and KServe's and Triton's
description of the extension. Triton, with the same `model.onnx`, accepts every request that is
accepted here. Not covered: shared memory, sequences, data types other than FP32.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from reprlib import repr as short
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from cnn_mnist.data.class_names import are_numbers
from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.errors import CnnMnistError
from cnn_mnist.export.triton import NAME, VERSION
from cnn_mnist.inference.model import BATCH_SIZE
from cnn_mnist.serve.bounded_json import loads

INPUT: Final = "images"
OUTPUTS: Final = ("logits", "probabilities")
DATATYPE: Final = "FP32"
HEADER: Final = "inference-header-content-length"
"""The header with the size of the JSON, in bytes, where tensors follow it as bytes."""

_FLOAT: Final = np.dtype("<f4")
_MAX_VALUES: Final = BATCH_SIZE * 1024
"""Of the JSON: the 784 of each image, the lists around them, and the other keys."""


class ProtocolError(CnnMnistError):
    """A request that does not follow the protocol, or does not fit this network."""


@dataclass(frozen=True, eq=False)
class Request:
    """An inference request."""

    images: npt.NDArray[np.float32]
    """`(N, 1, 28, 28) float32 in [0, 1]`, N from 1 to `BATCH_SIZE`."""
    outputs: tuple[str, ...]
    """The requested outputs, in the order of the response."""
    binary: frozenset[str]
    """Those requested as bytes."""
    id: str | None
    """Returned with the response."""


def server_metadata() -> dict[str, Any]:
    """Return the response of `GET /v2`."""
    return {"name": NAME, "version": "2", "extensions": ["binary_tensor_data"]}


def model_metadata(class_names: tuple[str, ...]) -> dict[str, Any]:
    """Return the response of `GET /v2/models/cnn-mnist`.

    Where the classes have names other than their numbers, the parameter `class_names` has them as
    a JSON list: the protocol's parameters are texts, numbers and booleans.
    """
    classes = len(class_names)
    tensors = [
        (INPUT, [-1, 1, IMAGE_SIZE, IMAGE_SIZE]),
        *((name, [-1, classes]) for name in OUTPUTS),
    ]
    images, *outputs = (
        {"name": name, "datatype": DATATYPE, "shape": shape} for name, shape in tensors
    )
    named = not are_numbers(class_names)
    names = orjson.dumps(class_names).decode()
    return {
        "name": NAME,
        "versions": [VERSION],
        "platform": "onnxruntime_onnx",
        "inputs": [images],
        "outputs": outputs,
        **({"parameters": {"class_names": names}} if named else {}),
    }


def parse(body: bytes, header_bytes: int | None = None) -> Request:
    """Parse a request.

    Args:
        body: JSON, followed by the tensors' bytes.
        header_bytes: the size of the JSON; None: the whole body.

    Raises:
        ProtocolError: it does not follow the protocol, or does not fit this network.
    """
    header_bytes = len(body) if header_bytes is None else header_bytes
    if not 0 <= header_bytes <= len(body):
        raise ProtocolError(f"{HEADER} is {header_bytes}, but the body has {len(body)} bytes")
    try:
        message = loads(body[:header_bytes], _MAX_VALUES)
    except ValueError as error:
        raise ProtocolError(str(error)) from error
    if not isinstance(message, dict):
        raise ProtocolError("the request is not a JSON object")
    id_ = message.get("id")
    if id_ is not None and not isinstance(id_, str):
        raise ProtocolError("id is not a string")
    wanted = _list(message, "outputs") if "outputs" in message else []
    whole = _mapping(message, "parameters").get("binary_data_output") is True
    names, binary = [], set()
    for output in wanted or [{"name": name} for name in OUTPUTS]:
        name = output.get("name")
        if name not in OUTPUTS:
            raise ProtocolError(f"there is no output {short(name)}: the outputs are {OUTPUTS}")
        names.append(name)
        if _mapping(output, "parameters").get("binary_data", whole) is True:
            binary.add(name)
    images = _images(_list(message, "inputs"), body[header_bytes:])
    return Request(images, tuple(dict.fromkeys(names)), frozenset(binary), id_)


def render(
    request: Request, logits: npt.NDArray[np.float32], probabilities: npt.NDArray[np.float32]
) -> tuple[bytes, int | None]:
    """Return a response's bytes, and the size of its JSON where tensors follow it, else None."""
    values = dict(zip(OUTPUTS, (logits, probabilities), strict=True))
    outputs: list[dict[str, Any]] = []
    tensors = []
    for name in request.outputs:
        output: dict[str, Any] = {"name": name, "datatype": DATATYPE, "shape": values[name].shape}
        if name in request.binary:
            tensors.append(np.ascontiguousarray(values[name], _FLOAT).tobytes())
            output["parameters"] = {"binary_data_size": len(tensors[-1])}
        else:
            output["data"] = values[name].ravel()
        outputs.append(output)
    answer = {"model_name": NAME, "model_version": VERSION, "outputs": outputs}
    if request.id is not None:
        answer["id"] = request.id
    header = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    return b"".join([header, *tensors]), len(header) if tensors else None


def _images(inputs: Sequence[Mapping[str, Any]], binary: bytes) -> npt.NDArray[np.float32]:
    """Return the one input tensor, `(N, 1, 28, 28)`; `binary` follows the JSON."""
    if len(inputs) != 1 or inputs[0].get("name") != INPUT:
        raise ProtocolError(f"inputs must be one tensor, named {INPUT}")
    (tensor,) = inputs
    if tensor.get("datatype") != DATATYPE:
        datatype = short(tensor.get("datatype"))
        raise ProtocolError(f"{INPUT} has datatype {datatype}: expected {DATATYPE}")
    shape = tensor.get("shape")
    if not (
        isinstance(shape, list)
        and all(type(side) is int for side in shape)
        and shape[1:] == [1, IMAGE_SIZE, IMAGE_SIZE]
        and 1 <= shape[0] <= BATCH_SIZE
    ):
        raise ProtocolError(
            f"{INPUT} has shape {short(shape)}: expected [N, 1, {IMAGE_SIZE}, {IMAGE_SIZE}], "
            f"N from 1 to {BATCH_SIZE}"
        )
    size = _mapping(tensor, "parameters").get("binary_data_size")
    values = _floats(binary, size) if size is not None else _numbers(tensor.get("data"))
    if values.size != shape[0] * IMAGE_SIZE * IMAGE_SIZE:
        raise ProtocolError(f"{INPUT} has {values.size} values: its shape is {shape}")
    if not (values.min() >= 0 and values.max() <= 1):  # written so that NaN fails too
        raise ProtocolError(f"{INPUT} must have values in [0, 1]")
    return values.astype(np.float32, copy=False).reshape(shape)


def _numbers(values: object) -> npt.NDArray[np.float64]:
    """Return the numbers of a list, or of lists in lists of equal lengths, as one row."""
    if not isinstance(values, list):
        raise ProtocolError(f"data of {INPUT} is not an array of numbers")
    while (kinds := set(map(type, values))) == {list}:
        if len(set(map(len, values))) > 1:
            raise ProtocolError(f"data of {INPUT} is not an array: its lists differ in length")
        values = list(chain.from_iterable(values))
    if not kinds <= {int, float}:  # the types themselves: True is not a number
        raise ProtocolError(f"data of {INPUT} is not an array of numbers")
    return np.array(values, np.float64)


def _floats(binary: bytes, size: object) -> npt.NDArray[np.float32]:
    if type(size) is not int or size != len(binary) or size % _FLOAT.itemsize:
        raise ProtocolError(
            f"binary_data_size of {INPUT} is {short(size)}: {len(binary)} bytes follow"
        )
    return np.frombuffer(binary, _FLOAT)


def _list(message: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = message.get(key)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ProtocolError(f"{key} is not a list of objects")
    return value


def _mapping(message: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = message.get(key, {})
    if not isinstance(value, dict):
        raise ProtocolError(f"{key} is not an object")
    return value
