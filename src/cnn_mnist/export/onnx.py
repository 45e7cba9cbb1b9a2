"""Export a trained network as an ONNX file."""

import ast
import copy
import io
import json
import logging
import re
import warnings
from collections import Counter
from collections.abc import Mapping
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import torch
from torch import nn

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.errors import CnnMnistError, ExportError, first_line, os_errors_as
from cnn_mnist.export.int8 import pack_kernels, quantize, require_few_changes
from cnn_mnist.export.parity import compare, require_parity
from cnn_mnist.files import replace_with
from cnn_mnist.inference.model import Model
from cnn_mnist.networks.classify import classify

_PREFIX: Final = "network."
_PLACE: Final = re.compile(r'File "([^"\n]+)", line (\d+), in \w+\n\s*(.+)')
"""Where in the user's code torch's translation has failed, as its error tells it."""


class _WithProbabilities(nn.Module):
    """Add the softmax of the logits as a second output of a network."""

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
    """Write a network as an ONNX file, once the file gives the same logits as the network.

    Args:
        model: the network; it stays as it is.
        path: the file to create or replace, in one step.
        images: `(N, 28, 28) uint8`, real ones, on which both are compared.
        metadata: kept in the file as JSON values by name.
        weights: `float32`, or `int8`: a quarter of the size, multiplied in float32 all the same.
        scales: `(M, 28, 28) uint8`, images from which the scales of 8-bit arithmetic are taken, see
            `int8.quantize`; None multiplies in float32.

    Returns:
        `path`, and what `parity.compare` returns.

    Raises:
        ExportError: the file differs from the network (see `parity.require_parity`, in 8 bits
            `int8.require_few_changes`), or cannot be written. An earlier file stays.
    """
    proto = onnx_graph(model)
    if scales is not None:
        proto = quantize(proto, scales)
    elif weights == "int8":
        pack_kernels(proto.graph)
    exact = weights == "float32" and scales is None
    for key, value in metadata.items():
        text = value if isinstance(value, str) else json.dumps(value)
        proto.metadata_props.add(key=key, value=text)
    result: dict[str, Any] = {"path": str(path)}

    def make(new: Path) -> None:
        new.write_bytes(proto.SerializeToString())
        result.update(compare(partial(classify, model), Model(new).classify, images))
        if exact:
            require_parity(path, result)
        else:
            require_few_changes(path, result)

    with os_errors_as(ExportError, f"{path} cannot be written"):
        replace_with(path, make)
    return result


def require_exportable(model: nn.Module) -> None:
    """Raise `ExportError` where a network cannot be exported, before it is trained.

    It is exported to a temporary file, which must open and classify an image.

    Args:
        model: the network; it stays as it is.
    """
    proto = onnx_graph(model)
    with TemporaryDirectory(prefix="cnn-mnist-") as folder:
        path = Path(folder, "model.onnx")
        with os_errors_as(ExportError, f"{path} cannot be written"):
            path.write_bytes(proto.SerializeToString())
        try:
            Model(path).classify(np.zeros((1, IMAGE_SIZE, IMAGE_SIZE), np.uint8))
        except CnnMnistError as error:
            raise ExportError(
                f"the network {type(model).__name__} cannot be used as ONNX: {error}"
            ) from error


def onnx_graph(model: nn.Module) -> onnx.ModelProto:
    """Return a network's ONNX graph, its nodes and weights named after the network's layers.

    Raises:
        ExportError: torch cannot translate what the network does.
    """
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # torch's own account of what it does and why it fails
    try:
        # torch prints the graph up to where it fails
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")  # deprecations inside torch's exporter
            program = torch.onnx.export(
                _WithProbabilities(copy.deepcopy(model)).cpu().eval(),
                (torch.zeros(2, 1, IMAGE_SIZE, IMAGE_SIZE),),
                dynamo=True,
                input_names=["images"],
                output_names=["logits", "probabilities"],
                dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
                verbose=False,
            )
    except Exception as error:  # whatever a user's network makes torch raise
        raise ExportError(
            f"the network {type(model).__name__} cannot be exported as ONNX: {_cause(error)}"
        ) from error
    finally:
        logging.disable(before)
    assert program is not None
    proto = program.model_proto
    _name(proto.graph)
    return proto


def _cause(error: BaseException) -> str:
    """Return the first line of what has caused an error of the exporter, and the user's line."""
    while error.__cause__ is not None:
        error = error.__cause__
    place = _PLACE.search(str(error))
    where = f" ({Path(place[1]).name}, line {place[2]}: {place[3].strip()})" if place else ""
    return f"{type(error).__name__}: {first_line(error)}{where}"


def _name(graph: onnx.GraphProto) -> None:
    """Name nodes after their layers, and drop the exporter's notes (they hold local paths)."""
    seen: Counter[str] = Counter()
    stored = {value.name for value in graph.initializer}
    own_names = _own_names(graph)
    for node in graph.node:
        # a node into which two layers were folded is named after the one whose kernel it has
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
            names[:] = [own_names.get(value, value) for value in names]
    for value in graph.initializer:
        value.name = own_names.get(value.name, value.name)
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        del item.metadata_props[:]
        item.doc_string = ""
    del graph.value_info[:]
    del graph.metadata_props[:]
    graph.name, graph.doc_string = "cnn-mnist", ""


def _own_names(graph: onnx.GraphProto) -> dict[str, str]:
    """Return the name of each stored value in the network; folding gives some biases another one.

    Where the result of a node has this name already, the value keeps the one that it has.
    """
    taken = {name for node in graph.node for name in node.output}
    taken.update(value.name for value in (*graph.input, *graph.output))
    names = {
        value.name: value.name.removeprefix(_PREFIX).replace(".weight_bias", ".bias")
        for value in graph.initializer
    }
    return {value: name for value, name in names.items() if name not in taken}
