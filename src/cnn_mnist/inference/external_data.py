"""Check where a model file says that its weights lie, before ONNX Runtime reads them there.

An ONNX file may keep weights in files beside it. ONNX Runtime 1.23, the newest for Python 3.10,
reads whatever file is named there, wherever it lies. The model is walked by the field numbers of
`onnx.proto`, for the plain installation has no other reader. Not covered: what the weights are.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

INNER: Final = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TensorProto": {13: "StringStringEntryProto"},
}
"""By the kind of a message, the fields in which a tensor can lie, with the kind of each."""
_FIXED_BYTES: Final = {1: 8, 5: 4}


def require_inside(path: Path, content: bytes, max_bytes: int) -> None:
    """Raise `ValueError` unless the weights of a model lie in its file or in files beside it.

    Args:
        path: the model file.
        content: its bytes.
        max_bytes: of each of the other files.
    """
    folder = path.parent.resolve()
    for location in locations(content):
        file = (folder / location).resolve()
        if not file.is_relative_to(folder) or not file.is_file():
            raise ValueError(f"its external data {location!r} is not a file beside it")
        if file.stat().st_size > max_bytes:
            raise ValueError(
                f"its external data {location!r} is larger than the limit of {max_bytes:,} bytes"
            )


def locations(content: bytes) -> Iterator[str]:
    """Yield the names of the files in which a model's tensors lie.

    Raises:
        ValueError: the bytes are not a protobuf message.
    """
    waiting = [("ModelProto", memoryview(content))]
    while waiting:
        kind, message = waiting.pop()
        for number, value in _fields(message):
            inner = INNER[kind].get(number)
            if inner in INNER:
                waiting.append((inner, value))
            elif inner:
                entry = {key: bytes(text) for key, text in _fields(value)}
                if entry.get(1) == b"location":
                    yield os.fsdecode(entry.get(2, b""))


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the number and the bytes of each field of a message that has a length.

    Raises:
        ValueError: it is not a message, or ends within a field.
    """
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, form = divmod(tag, 8)
        if form == 0:
            _, place = _varint(message, place)
        elif form in _FIXED_BYTES:
            place += _FIXED_BYTES[form]
        elif form == 2:
            size, place = _varint(message, place)
            yield number, message[place : place + size]
            place += size
        else:
            raise ValueError(f"a field of the unknown form {form}")
    if place > len(message):
        raise ValueError("it ends within a field")


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Return the number that begins at a place, and the place after it."""
    number = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
    raise ValueError("it ends within a number, or has none")
