"""Read any model file's ONNX graph: its layers, whoever exported it. Needs onnx, not torch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto

from cnn_mnist.errors import ModelError, first_line
from cnn_mnist.inference.model import Model
from cnn_mnist.networks.table import Layer

_ROUNDING: Final = ("QuantizeLinear", "DequantizeLinear")
"""The nodes between the layers of a graph with 8-bit arithmetic."""


def layer_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield the nodes that compute on images, not those that unpack weights or round values."""
    computed = {"images"}
    for node in graph.node:
        if computed.isdisjoint(node.input):  # unpacks a kernel, see `int8.pack_kernels`
            continue
        computed.update(node.output)
        if node.op_type not in _ROUNDING:
            yield node


def onnx_layers(path: Path) -> list[Layer]:
    """Return the table of a model file's layers.

    Raises:
        ModelError: the file is missing or not an ONNX model.
    """
    Model(path)  # refuses a file that is not such a model
    try:
        proto = onnx.shape_inference.infer_shapes(onnx.load(path))
    except Exception as error:  # onnx and protobuf raise their own kinds
        raise ModelError(f"{path} is not an ONNX model: {first_line(error)}") from error
    shapes = {
        value.name: tuple(size.dim_value for size in value.type.tensor_type.shape.dim[1:])
        for value in (*proto.graph.value_info, *proto.graph.output)
    }
    weights = _weights(proto.graph)
    counted: set[str] = set()
    table = []
    for node in layer_nodes(proto.graph):
        # weight and bias; those after them are the statistics of a normalisation
        own = [name for name in node.input if name in weights]
        own = own[:2] if node.op_type == "BatchNormalization" else own
        output = shapes.get(node.output[0], ())
        inputs = [weights.get(name) or (1, *shapes.get(name, ())) for name in node.input]
        table.append(
            Layer(
                name=node.name,
                kind=node.op_type,
                output=output,
                parameters=sum(int(np.prod(weights[name])) for name in {*own} - counted),
                flops=2 * _products(node.op_type, inputs) * int(np.prod(output)),
            )
        )
        counted.update(own)
    return table


def _products(kind: str, inputs: list[tuple[int, ...]]) -> int:
    """Return the number of products in one output of a node, from the shapes of its inputs."""
    if kind in ("Conv", "Gemm"):
        return int(np.prod(inputs[1][1:]))
    return inputs[0][-1] if kind == "MatMul" else 0


def _weights(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all float weights, those that the graph unpacks included."""
    stored = {value.name: tuple(value.dims) for value in graph.initializer}
    floats = {value.name for value in graph.initializer if value.data_type == TensorProto.FLOAT}
    weights = {name: stored[name] for name in floats}
    for node in graph.node:
        if node.input and all(name in stored for name in node.input):
            shape = stored[node.input[0]]
            stored[node.output[0]] = weights[node.output[0]] = shape
    return weights
