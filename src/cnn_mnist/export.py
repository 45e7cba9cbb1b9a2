"""Export: a trained network as an ONNX file, checked against its source before it gets its name."""

import ast
import copy
import json
import logging
import os
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from cnn_mnist.errors import ExportError, ModelError
from cnn_mnist.files import sync_directory, write_synced
from cnn_mnist.infer import Model
from cnn_mnist.model import Layer, classify
from cnn_mnist.parity import compare, require_parity

WEIGHTS: Final = ("float32", "int8")
"""How the kernels are kept in the file; they are multiplied in float32 either way."""

_ROUNDING: Final = ("QuantizeLinear", "DequantizeLinear")
"""Between the layers of a graph in 8-bit arithmetic."""

MAX_CHANGED: Final = 0.0005
"""Largest share of images whose class may change when a network is rounded to 8 bits."""

_PREFIX: Final = "network."


class _WithProbabilities(nn.Module):
    """The network as the model file gives it: logits and their softmax."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = self.network(images)
        return logits, logits.softmax(dim=1)


def export_onnx(
    model: nn.Module,
    path: Path,
    images: npt.NDArray[np.uint8],
    metadata: Mapping[str, Any],
    *,
    weights: str = "float32",
    scales: npt.NDArray[np.uint8] | None = None,
) -> dict[str, Any]:
    """Write a network as `path`, after the file has given what the network gives.

    Args:
        model: the network; it stays as it is.
        path: the file to create or replace, in one step.
        images: `(N, 28, 28) uint8`, real ones, on which both are compared.
        metadata: kept in the file as JSON values by name.
        weights: one of `WEIGHTS`; `int8` makes the file a quarter of the size.
        scales: `(M, 28, 28) uint8`, images from which the scales of 8-bit arithmetic are taken, see
            `quantize`; None multiplies in float32.

    Returns:
        `path`, `max_abs_diff` (of a logit), `argmax_equal` (of every image), `changed` (images
        whose class differs), `n` (images compared).

    Raises:
        ExportError: float32: a class differs, or a logit by more than `parity.TOLERANCE`; 8 bits in
            either way: more than `MAX_CHANGED` of the classes differ; or the file cannot be
            written. An earlier file stays.
    """
    proto = _graph(model)
    if scales is not None:
        from cnn_mnist.quantize import quantized  # the quantizer takes its time to import

        proto = quantized(proto, scales)
    elif weights == "int8":
        _pack(proto.graph)
    exact = weights == "float32" and scales is None
    for key, value in metadata.items():
        text = value if isinstance(value, str) else json.dumps(value)
        proto.metadata_props.add(key=key, value=text)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write_synced(temporary, proto.SerializeToString())
        exported = Model(temporary)
        result = compare(lambda batch: classify(model, batch), exported.classify, images)
        if not exact and result["changed"] > MAX_CHANGED * len(images):
            raise ExportError(
                f"{path} was not written: in 8 bits the network reads {result['changed']:,} of "
                f"{len(images):,} images differently: export it in float32"
            )
        if exact:
            require_parity(path, result)
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return {"path": str(path), **result}


def onnx_layers(path: Path) -> list[Layer]:
    """The table of a model file's layers, read from its own graph.

    Raises:
        ModelError: the file is missing or no ONNX model.
    """
    Model(path)  # says what is wrong with it
    try:
        proto = onnx.shape_inference.infer_shapes(onnx.load(path))
    except Exception as error:  # onnx and protobuf raise their own kinds
        raise ModelError(f"{path} is no ONNX model: {error}") from error
    shapes = {
        value.name: tuple(size.dim_value for size in value.type.tensor_type.shape.dim[1:])
        for value in (*proto.graph.value_info, *proto.graph.output)
    }
    stored = {value.name: tuple(value.dims) for value in proto.graph.initializer}
    kinds = {value.name: value.data_type for value in proto.graph.initializer}
    weights = {name: dims for name, dims in stored.items() if kinds[name] == TensorProto.FLOAT}
    table = []
    for node in proto.graph.node:
        if all(name in stored for name in node.input):  # unpacks a kernel, see `_pack`
            stored[node.output[0]] = weights[node.output[0]] = stored[node.input[0]]
            continue
        if node.op_type in _ROUNDING:
            continue
        # weight and bias; what follows them are a normalisation's statistics
        own = [weights[name] for name in node.input if name in weights][:2]
        output = shapes.get(node.output[0], ())
        kernels = own[0] if own and node.op_type in ("Conv", "Gemm") else ()
        table.append(
            Layer(
                name=node.name,
                kind=node.op_type,
                output=output,
                parameters=sum(int(np.prod(dims)) for dims in own),
                flops=2 * int(np.prod(kernels[1:])) * int(np.prod(output)) if kernels else 0,
            )
        )
    return table


def _graph(model: nn.Module) -> onnx.ModelProto:
    """The ONNX graph, its nodes and weights called by the names of the network's layers."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)  # it reports on packages that no network here needs
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside torch's exporter
            program = torch.onnx.export(
                _WithProbabilities(copy.deepcopy(model)).cpu().eval(),
                (torch.zeros(2, 1, 28, 28),),
                dynamo=True,
                input_names=["images"],
                output_names=["logits", "probabilities"],
                dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
                verbose=False,
            )
    finally:
        exporter.setLevel(level)
    assert program is not None
    proto = program.model_proto
    _name(proto.graph)
    return proto


def _name(graph: onnx.GraphProto) -> None:
    """Call nodes by their layers, and drop the exporter's notes (they hold paths of this disk)."""
    seen: Counter[str] = Counter()
    stored = {value.name for value in graph.initializer}
    for node in graph.node:
        # a node that two layers were folded into is called by the one whose kernel it has
        kernels = [value for value in node.input if value in stored and value.endswith(".weight")]
        notes = {note.key: note.value for note in node.metadata_props}
        scopes = ast.literal_eval(notes.get("pkg.torch.onnx.name_scopes", "[]"))
        layers = [scope.removeprefix(_PREFIX) for scope in scopes if scope.startswith(_PREFIX)]
        name = layers[-1] if layers else node.output[0]
        if kernels:
            name = kernels[0].removeprefix(_PREFIX).removesuffix(".weight")
        seen[name] += 1
        node.name = name if seen[name] == 1 else f"{name}_{seen[name]}"
        for names in (node.input, node.output):
            names[:] = [_own_name(value) for value in names]
    for value in graph.initializer:
        value.name = _own_name(value.name)
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        del item.metadata_props[:]
        item.doc_string = ""
    del graph.value_info[:]
    del graph.metadata_props[:]
    graph.name, graph.doc_string = "cnn-mnist", ""


def _own_name(value: str) -> str:
    """A weight's name in the network; the exporter has its own for the bias that a fold leaves."""
    return value.removeprefix(_PREFIX).replace(".weight_bias", ".bias")


def _pack(graph: onnx.GraphProto) -> None:
    """Keep each kernel as 8-bit integers and one scale for each output channel.

    Unpacked by Cast and Mul, which every runtime folds into constants when it loads the file;
    DequantizeLinear is not folded by ONNX Runtime, and costs as much as the network itself.
    """
    unpacking = []
    for tensor in list(graph.initializer):
        kernel = numpy_helper.to_array(tensor)
        if kernel.ndim < 2 or kernel.dtype != np.float32:
            continue
        largest = np.abs(kernel).max(axis=tuple(range(1, kernel.ndim)), keepdims=True)
        scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
        name = tensor.name
        graph.initializer.remove(tensor)
        graph.initializer.append(
            numpy_helper.from_array(np.rint(kernel / scale).astype(np.int8), f"{name}_int8")
        )
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
        unpacking += [
            helper.make_node("Cast", [f"{name}_int8"], [f"{name}_cast"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}_cast", f"{name}_scale"], [name]),
        ]
    nodes = [*unpacking, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
