"""Round an exported network to 8 bits: its kernels in the file, or all of its arithmetic.

Source of the arithmetic: Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", 2018, as ONNX Runtime's quantizer implements it.
"""

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from cnn_mnist.errors import ExportError, first_line
from cnn_mnist.inference.model import inputs

MAX_CHANGED: Final = 0.0005
"""Largest share of images whose class may change when a network is rounded to 8 bits."""

_CALIBRATION_IMAGES: Final = 2_000
"""Images that set the scales; the extremes over more images are hardly larger."""


def pack_kernels(graph: onnx.GraphProto) -> None:
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


def quantize(proto: onnx.ModelProto, images: npt.NDArray[np.uint8]) -> onnx.ModelProto:
    """Return the same graph with 8-bit arithmetic.

    Every kernel gets a scale for each of its outputs, every activation one scale, from the smallest
    and the largest value that it takes for `images`. The graph expresses it in the portable form,
    with QuantizeLinear and DequantizeLinear around the layers, which runtimes merge.

    Args:
        proto: the float32 graph, whose input is `images`.
        images: `(N, 28, 28) uint8`, real training images; the first 2,000 are used.

    Raises:
        ExportError: the graph has something that ONNX Runtime cannot round.
    """
    # imported here: it takes a second, for which an export in float32 need not wait
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        batches = inputs(images[:_CALIBRATION_IMAGES])

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self.batches, None)
            return None if batch is None else {"images": batch}

    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "model.onnx"
        try:
            quantize_static(
                proto,
                path,
                Reader(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                # keep a ReLU as a layer of its own, so that its output can be shown
                extra_options={"QDQKeepRemovableActivations": True},
            )
        except Exception as error:  # the quantizer's and ONNX Runtime's kinds
            raise ExportError(
                f"the network cannot compute in 8 bits: {first_line(error)}: export it in float32"
            ) from error
        found = onnx.load(path)
    del found.metadata_props[:]  # added by the quantizer
    return found


def require_few_changes(path: Path, comparison: Mapping[str, Any]) -> None:
    """Refuse an 8-bit export that classifies too many images differently.

    Args:
        path: where it was to be written.
        comparison: see `parity.compare`.

    Raises:
        ExportError: more than `MAX_CHANGED` of the classes differ.
    """
    if comparison["changed"] > MAX_CHANGED * comparison["n"]:
        raise ExportError(
            f"{path} was not written: in 8 bits the network classifies {comparison['changed']:,} "
            f"of {comparison['n']:,} images differently: export it in float32"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the quantizer's advice to prepare the graph: the exporter has prepared it."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
