"""Compute the output of every layer of the network, for the page.

ONNX Runtime returns only what a graph names as its outputs, so a second session is opened on a copy
of the graph in which each layer's result is one. Layers, names and order come from the graph, so
the page shows the network that is served.
"""

from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx

from cnn_mnist.errors import ModelError, first_line
from cnn_mnist.export.graph import layer_nodes
from cnn_mnist.inference.session import open_session

_HIDDEN: Final = (
    *("Reshape", "Flatten", "Identity", "Dropout"),
    *("Squeeze", "Unsqueeze", "Transpose", "Concat"),
)
"""Operators that only move values: their outputs show nothing new."""


@dataclass(frozen=True, eq=False)
class Activity:
    """The output of one layer for one image."""

    name: str
    """The node's name in the graph."""
    kind: str
    """Its operator, such as `Conv`."""
    values: npt.NDArray[np.float32]
    """`(maps, height, width)` or `(units,)`."""

    def to_dict(self) -> dict[str, Any]:
        """Return the values for JSON, `low` to `high` in 256 levels, one byte each, as base64."""
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
    """Encode values in [0, 1] in 256 levels, one byte each, as base64."""
    return b64encode(np.rint(values * 255).astype(np.uint8).tobytes()).decode("ascii")


class Layers:
    """The layers of a model file.

    Args:
        path: a model file that `inference.model.Model` accepts.

    Raises:
        ModelError: its layers cannot be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            proto = onnx.load(path)
            self._nodes = [n for n in layer_nodes(proto.graph) if n.op_type not in _HIDDEN]
            outputs = [node.output[0] for node in self._nodes]
            del proto.graph.output[:]
            proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
            self._session = open_session(proto.SerializeToString(), threads=1)
        except Exception as error:  # onnx, protobuf and ONNX Runtime raise their own kinds
            raise ModelError(f"the layers of {path} cannot be read: {first_line(error)}") from error

    def activities(self, image: npt.NDArray[np.float32]) -> list[Activity]:
        """Compute the output of each layer for an image.

        Args:
            image: `(28, 28)` in [0, 1].
        """
        results = self._session.run(None, {"images": image[None, None]})
        return [
            Activity(node.name or node.output[0], node.op_type, _drawable(result[0]))
            for node, result in zip(self._nodes, results, strict=True)
            # other types are shapes or indices of a user's own network, not a layer's output
            if result.dtype == np.float32 and result.ndim > 1 and len(result) == 1 and result.size
        ]


def _drawable(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return a layer's output as `(maps, height, width)` or `(units,)`."""
    return values if values.ndim in (1, 3) else values.reshape(-1, *values.shape[-2:])
