"""Write a linear model to an ONNX file without torch, as the tests of several wings need it."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from tiny import tiny_split

IMAGES = tiny_split(20).images
WEIGHTS = np.random.default_rng(0).normal(size=(28 * 28, 10)).astype(np.float32) / 28


def save(
    path: Path,
    *,
    takes: tuple[str, list[Any]] = ("images", ["batch", 1, 28, 28]),
    gives: tuple[str, str] = ("logits", "probabilities"),
    shape: tuple[Any, ...] = ("batch", 10),
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write the model, with the given names and shapes of its input and outputs."""
    nodes = [
        helper.make_node("Flatten", [takes[0]], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], [gives[0]]),
        helper.make_node("Softmax", [gives[0]], [gives[1]], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info(takes[0], TensorProto.FLOAT, takes[1])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in gives],
        [numpy_helper.from_array(WEIGHTS, "weights")],
    )
    opset = [helper.make_opsetid("", 18)]
    proto = helper.make_model(graph, opset_imports=opset, ir_version=9)
    helper.set_model_props(proto, metadata or {})
    onnx.save(proto, path)
    return path


def expected(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the model's logits, `(N, 10)`."""
    return (images.reshape(-1, 28 * 28) / 255) @ WEIGHTS
