"""Describe requests and errors for the OpenAPI document, where FastAPI cannot infer them."""

from collections.abc import Mapping
from typing import Any, Final

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.inference.model import BATCH_SIZE
from cnn_mnist.serve import protocol
from cnn_mnist.serve.base64_json import KEY
from cnn_mnist.serve.form import FIELD, MAX_PARTS


def _object(**properties: Any) -> dict[str, Any]:
    """Describe an object that has all of these properties."""
    return {"type": "object", "required": list(properties), "properties": properties}


_BYTES: Final = {"type": "string", "format": "binary"}
_ERROR: Final = _object(error={"type": "string"})
_BOX: Final = {
    "type": "array",
    "items": {"type": "integer"},
    "description": "x0, y0, x1, y1 in pixels of the picture",
}
_DIGIT: Final = {
    "type": "object",
    "properties": {
        "class": {"type": ["integer", "null"], "description": "null where it is not a digit"},
        "sign": {"type": "string", "description": "which sign it is; only where it is one"},
        "reason": {"type": "string", "description": "why it was refused; only where it was"},
        "name": {
            "type": ["string", "null"],
            "description": "of the class; only where the classes have names other than numbers",
        },
        "probability": {"type": "number"},
        "probabilities": {"type": "array", "items": {"type": "number"}},
        "box": _BOX,
    },
}
_FIELD: Final = _object(
    row={"type": "integer"}, column={"type": "integer"}, text={"type": "string"}, box=_BOX
)
_READING: Final = _object(
    file={"type": "string", "description": "its name, or - where it has none"},
    text={"type": "string"},
    digits={"type": "array", "items": _DIGIT},
)
_READING["properties"] |= {
    "fields": {
        "type": "array",
        "items": _FIELD,
        "description": "of a form, row by row; only if asked for",
    },
    "turned": {"enum": [90, 180, 270], "description": "degrees clockwise to upright"},
    "page": {"type": "integer", "description": "which page or frame of several, from 1"},
}
_FAILURE: Final = _object(file={"type": "string"}, error={"type": "string"})
_READINGS: Final = _object(
    images={"type": "array", "items": _READING}, errors={"type": "array", "items": _FAILURE}
)
_SHAPE: Final = {
    "type": "array",
    "prefixItems": [
        {"type": "integer", "minimum": 1, "maximum": BATCH_SIZE},
        {"const": 1},
        {"const": IMAGE_SIZE},
        {"const": IMAGE_SIZE},
    ],
    "minItems": 4,
    "maxItems": 4,
}
_TENSOR: Final = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"const": protocol.INPUT},
        "shape": _SHAPE,
        "datatype": {"const": protocol.DATATYPE},
        "data": {"type": "array", "items": {"type": "number", "minimum": 0, "maximum": 1}},
        "parameters": {"type": "object"},
    },
}
_OUTPUT: Final = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"enum": list(protocol.OUTPUTS)}, "parameters": {"type": "object"}},
}
_INFERENCE: Final = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "parameters": {"type": "object"},
        "inputs": {"type": "array", "items": _TENSOR, "minItems": 1, "maxItems": 1},
        "outputs": {"type": "array", "items": _OUTPUT},
    },
}
_REASONS: Final = {
    400: "Not of the right form",
    401: "Wrong or missing token",
    408: "The request arrived too slowly",
    413: "Too large",
    415: "Not an image, or compressed",
    503: "Busy, or stopping: try again",
}


def _body(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a body by its schema for each media type."""
    content = {kind: {"schema": schema} for kind, schema in schemas.items()}
    return {"required": True, "content": content}


def _pictures(most: int) -> dict[str, Any]:
    """Describe a request with up to so many pictures."""
    files = {"type": "array", "items": _BYTES, "minItems": 1, "maxItems": most}
    base64 = {"type": "string", "contentEncoding": "base64", "description": "or a data: URL"}
    return {
        "requestBody": _body(
            {
                "image/*": _BYTES,
                "application/octet-stream": _BYTES,
                "multipart/form-data": _object(**{FIELD: files}),
                "application/json": _object(**{KEY: base64}),
            }
        )
    }


PICTURE: Final = _pictures(1)
"""A request with a picture."""

PICTURES: Final = _pictures(MAX_PARTS)
"""A request with pictures."""

READ: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "What is read in the picture; of several, in each, and which cannot be read",
        "content": {"application/json": {"schema": {"oneOf": [_READING, _READINGS]}}},
    }
}
"""The response to `PICTURES`."""

INFER: Final[dict[str, Any]] = {
    "parameters": [
        {
            "name": protocol.HEADER,
            "in": "header",
            "required": False,
            "schema": {"type": "integer", "minimum": 0},
        }
    ],
    "requestBody": _body({"application/json": _INFERENCE, "application/octet-stream": _BYTES}),
}
"""A request of the Open Inference Protocol."""


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe a path's error responses: those given, and those that any path can have."""
    content = {"application/json": {"schema": _ERROR}}
    return {
        status: {"description": _REASONS[status], "content": content}
        for status in (*statuses, 401, 408, 503)
    }
