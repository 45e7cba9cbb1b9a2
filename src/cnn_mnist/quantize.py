"""A network's graph in 8-bit arithmetic: kernels and activations are multiplied as integers.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", 2018, as ONNX Runtime's quantizer has it.
"""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from cnn_mnist.infer import inputs

_IMAGES = 2_000
"""Of those given; the extremes of more are hardly further out."""


def quantized(proto: onnx.ModelProto, images: npt.NDArray[np.uint8]) -> onnx.ModelProto:
    """The same graph in 8 bits.

    Every kernel gets a scale for each of its outputs, every activation one scale, from the smallest
    and the largest value that it takes for `images`. The graph says so in the portable form, with
    QuantizeLinear and DequantizeLinear around the layers; a runtime that knows better merges them.

    Args:
        proto: the float32 graph, whose input is `images`.
        images: `(N, 28, 28) uint8`, real ones that were trained on; the first 2,000 are used.
    """
    with tempfile.TemporaryDirectory() as folder, _quietly():
        path = Path(folder) / "model.onnx"
        quantize_static(
            proto,
            path,
            _Inputs(images[:_IMAGES]),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # a ReLU that is no more than where a scale ends stays a layer that can be seen
            extra_options={"QDQKeepRemovableActivations": True},
        )
        found = onnx.load(path)
    del found.metadata_props[:]  # the quantizer's own notes
    return found


class _Inputs(CalibrationDataReader):  # type: ignore[misc]
    """The images as the quantizer asks for them."""

    def __init__(self, images: npt.NDArray[np.uint8]) -> None:
        self._batches = inputs(images)

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"images": batch}


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the quantizer's advice to prepare the graph: it is prepared by its exporter."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
