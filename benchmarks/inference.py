"""Inference side by side: one image at a time, and many.

    python benchmarks/inference.py > benchmarks/results/inference.json

The lesson's network with weights that were never trained (they cost what trained ones cost), in
turn: `cnn_mnist.infer`; ONNX Runtime called bare with the same options; PyTorch, as commonly
written; and, where TensorFlow is installed, Keras (`predict_on_batch`) and a `tf.function`. The
inputs are floats, ready to use. First all must give the same logits. The last line of standard
output is one JSON object: times of each, and the ratios of medians to `cnn_mnist.infer`.
"""

import json
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from timing import in_turn, summary

from cnn_mnist.export import export_onnx
from cnn_mnist.infer import Model
from cnn_mnist.machine import machine, versions
from cnn_mnist.model import build
from cnn_mnist.recipe import named

Images = npt.NDArray[np.float32]
Classify = Callable[[Images], npt.NDArray[np.float32]]

SIZES = {1: 500, 100: 40, 1000: 10}
"""Images of one call, and how many calls are timed."""


def pytorch(network: torch.nn.Module) -> Classify:
    """As commonly written."""

    def classify(images: Images) -> npt.NDArray[np.float32]:
        with torch.no_grad():
            return network(torch.from_numpy(images)).numpy()

    return classify


def bare(path: Path) -> Classify:
    """ONNX Runtime without us."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda images: session.run(["logits", "probabilities"], {"images": images})[0]


def tensorflow(network: torch.nn.Sequential) -> dict[str, Classify]:
    """The same network in Keras, its weights ours."""
    import tensorflow as tf

    from cnn_mnist.tensorflow.network import keras_network

    keras = keras_network(network)
    function = tf.function(keras, reduce_retracing=True)
    return {
        "Keras": lambda images: keras.predict_on_batch(images.reshape(-1, 28, 28, 1)),
        "tf.function": lambda images: function(images.reshape(-1, 28, 28, 1)).numpy(),
    }


def main() -> None:
    """Measure and print."""
    network = build(named("standard"), 10, torch.Generator().manual_seed(0)).eval()
    examples = np.random.default_rng(0).random((1000, 1, 28, 28), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export_onnx(network, path, (examples[:, 0] * 255).astype(np.uint8), {})
        ways = {
            "cnn_mnist.infer": Model(path).classify,
            "ONNX Runtime": bare(path),
            "PyTorch": pytorch(network),
        }
        if find_spec("tensorflow"):
            ways |= tensorflow(network)
        expected = ways["PyTorch"](examples[:9])
        for way in ways.values():
            np.testing.assert_allclose(way(examples[:9]), expected, atol=1e-4)
        result: dict[str, Any] = {}
        for size, rounds in SIZES.items():
            calls = {name: partial(way, examples[:size]) for name, way in ways.items()}
            times = in_turn(calls, rounds=rounds, warm_up=max(3, rounds // 10))
            ours = statistics.median(times["cnn_mnist.infer"])
            result[f"batch {size}"] = {
                name: summary(values)
                | {
                    "images_per_second": size / statistics.median(values),
                    "ratio": statistics.median(values) / ours,
                }
                for name, values in times.items()
            }
    print(json.dumps(result | {"versions": versions(), "machine": machine()}))


if __name__ == "__main__":
    main()
