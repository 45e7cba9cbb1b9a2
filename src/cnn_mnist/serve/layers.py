"""The network with every layer's output in view, for the page.

ONNX Runtime gives only what a graph names as its outputs, so a second session is opened on a copy
of the graph in which each layer's result is one. The layers, their names and order are the graph's
own: whatever network is served is what is shown.
"""

from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx

from cnn_mnist.errors import ModelError
from cnn_mnist.infer import open_session

_UNSEEN: Final = (
    *("Reshape", "Flatten", "Identity", "Dropout", "Squeeze", "Unsqueeze", "Transpose", "Concat"),
    *("QuantizeLinear", "DequantizeLinear"),
)
"""They move values, or round them: there is nothing to see."""


@dataclass(frozen=True, eq=False)
class Activity:
    """What one layer makes of one image."""

    name: str
    """The node's name in the graph."""
    kind: str
    """Its operator, such as `Conv`."""
    values: npt.NDArray[np.float32]
    """`(maps, height, width)` or `(units,)`."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON: `values` in 256 levels from `low` to `high`, base64 of one byte each."""
        low, high = float(self.values.min()), float(self.values.max())
        return {
            "name": self.name,
            "kind": self.kind,
            "shape": list(self.values.shape),
            "low": low,
            "high": high,
            "values": encoded((self.values - low) / max(high - low, 1e-9)),
        }


def encoded(values: npt.NDArray[np.float32]) -> str:
    """Values in [0, 1] in 256 levels, one byte each, as base64."""
    return b64encode(np.rint(values * 255).astype(np.uint8).tobytes()).decode("ascii")


class Layers:
    """A network's layers.

    Args:
        path: a model file that `infer.Model` takes.

    Raises:
        ModelError: it cannot be taken apart.
    """

    def __init__(self, path: Path) -> None:
        try:
            proto = onnx.load(path)
            self._nodes = _layers_of(proto.graph)
            outputs = [node.output[0] for node in self._nodes]
            del proto.graph.output[:]
            proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
            self._session = open_session(proto.SerializeToString(), threads=1)
        except Exception as error:  # onnx, protobuf and ONNX Runtime raise their own kinds
            raise ModelError(f"{path} cannot be taken apart into its layers: {error}") from error

    def activities(self, image: npt.NDArray[np.float32]) -> list[Activity]:
        """What each layer makes of an image.

        Args:
            image: `(28, 28)` in [0, 1].
        """
        results = self._session.run(None, {"images": image[None, None]})
        return [
            Activity(node.name or node.output[0], node.op_type, np.asarray(result[0], np.float32))
            for node, result in zip(self._nodes, results, strict=True)
        ]


def _layers_of(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes that change what comes from the image; not those that unpack weights."""
    seen = {"images"}
    layers = []
    for node in graph.node:
        if seen.isdisjoint(node.input):
            continue
        seen.update(node.output)
        if node.op_type not in _UNSEEN:
            layers.append(node)
    return layers
