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
from torch import nn

from cnn_mnist.errors import ExportError, ModelError
from cnn_mnist.files import sync_directory, write_synced
from cnn_mnist.infer import BATCH_SIZE, Model
from cnn_mnist.model import Layer, classify

TOLERANCE: Final = 1e-4
"""Largest difference of a logit between the exported network and its source."""

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
    model: nn.Module, path: Path, images: npt.NDArray[np.uint8], metadata: Mapping[str, Any]
) -> dict[str, Any]:
    """Write a network as `path`, after the file has given what the network gives.

    Args:
        model: the network; it stays as it is.
        path: the file to create or replace, in one step.
        images: `(N, 28, 28) uint8`, real ones, on which both are compared.
        metadata: kept in the file as JSON values by name.

    Returns:
        `path`, `max_abs_diff` (of a logit), `argmax_equal` (of every image), `n` (images compared).

    Raises:
        ExportError: a class differs, or a logit by more than `TOLERANCE`; or the file cannot be
            written. An earlier file stays.
    """
    proto = _graph(model)
    for key, value in metadata.items():
        text = value if isinstance(value, str) else json.dumps(value)
        proto.metadata_props.add(key=key, value=text)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write_synced(temporary, proto.SerializeToString())
        result = _compare(model, Model(temporary), images)
        if not result["argmax_equal"] or not result["max_abs_diff"] <= TOLERANCE:
            raise ExportError(
                f"{path} was not written: the exported network differs from the trained one by "
                f"{result['max_abs_diff']:.3g} in a logit (at most {TOLERANCE:g} is right)"
            )
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
    weights = {value.name: value for value in proto.graph.initializer if value.data_type == 1}
    table = []
    for node in proto.graph.node:
        own = [weights[name] for name in node.input if name in weights]
        output = shapes.get(node.output[0], ())
        kernels = own[0].dims if own and node.op_type in ("Conv", "Gemm") else []
        table.append(
            Layer(
                name=node.name,
                kind=node.op_type,
                output=output,
                parameters=sum(int(np.prod(value.dims)) for value in own),
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
    for node in graph.node:
        notes = {note.key: note.value for note in node.metadata_props}
        scopes = ast.literal_eval(notes.get("pkg.torch.onnx.name_scopes", "[]"))
        layers = [scope.removeprefix(_PREFIX) for scope in scopes if scope.startswith(_PREFIX)]
        name = layers[-1] if layers else node.output[0]
        seen[name] += 1
        node.name = name if seen[name] == 1 else f"{name}_{seen[name]}"
        for names in (node.input, node.output):
            names[:] = [value.removeprefix(_PREFIX) for value in names]
    for value in graph.initializer:
        value.name = value.name.removeprefix(_PREFIX)
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        del item.metadata_props[:]
        item.doc_string = ""
    del graph.value_info[:]
    del graph.metadata_props[:]
    graph.name, graph.doc_string = "cnn-mnist", ""


def _compare(model: nn.Module, exported: Model, images: npt.NDArray[np.uint8]) -> dict[str, Any]:
    difference, equal = 0.0, True
    for start in range(0, len(images), BATCH_SIZE):
        batch = images[start : start + BATCH_SIZE]
        source, result = classify(model, batch), exported.classify(batch)
        # not Python's max: it loses a NaN
        difference = float(np.maximum(difference, np.abs(source - result).max()))
        equal = equal and bool((source.argmax(axis=1) == result.argmax(axis=1)).all())
    return {"max_abs_diff": difference, "argmax_equal": equal, "n": len(images)}
