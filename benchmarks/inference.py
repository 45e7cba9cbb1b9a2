"""Compare inference: one image at a time, and many.

    scripts/setup tensorflow .venv-tensorflow
    python benchmarks/inference.py --tensorflow .venv-tensorflow > benchmarks/results/inference.json

The tutorial's network with untrained weights (their speed is the same): `cnn_mnist.Model`, also in
8-bit arithmetic; ONNX Runtime called directly; PyTorch, as commonly written; Keras
(`predict_on_batch`) and a `tf.function`. Each way has processes of its own, since the threads of a
runtime wait busily for more work and would slow down the next one; the processes run in turn, A B A
B ... The inputs are floats, ready to use, and all ways except 8-bit arithmetic must give the same
logits. The last line of standard output is one JSON object: the median time of a call, images per
second, and the ratio of the medians to that of `cnn_mnist.Model`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from record import print_result

Images = npt.NDArray[np.float32]
Classify = Callable[[Images], Images]

CALLS = {1: 400, 100: 40, 1000: 8}
"""Images in one call, and how many calls a process times."""
ROUNDS = 5
OURS = "cnn_mnist.Model"
EIGHT_BITS = "cnn_mnist.Model, int8"
INT8 = "int8.onnx"


def ours(model: Path) -> Classify:
    """Classify with this package."""
    from cnn_mnist import Model

    return Model(model).classify


def in_8_bits(model: Path) -> Classify:
    """Classify with this package and a file that `export --arithmetic int8` wrote."""
    from cnn_mnist import Model

    return Model(model.with_name(INT8)).classify


def bare(model: Path) -> Classify:
    """Classify with ONNX Runtime alone."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return lambda images: session.run(["logits", "probabilities"], {"images": images})[0]


def pytorch(_: Path) -> Classify:
    """Classify with PyTorch, as commonly written."""
    import torch

    network = _network()

    def classify(images: Images) -> Images:
        with torch.no_grad():
            logits: Images = network(torch.from_numpy(images)).numpy()
            return logits

    return classify


def keras(_: Path) -> Classify:
    """Classify with the same network in Keras."""
    from cnn_mnist.export.tensorflow.network import keras_network

    network = keras_network(_network())
    return lambda images: np.asarray(network.predict_on_batch(images.reshape(-1, 28, 28, 1)))


def tf_function(_: Path) -> Classify:
    """Classify with the same network in Keras, compiled as a `tf.function`."""
    import tensorflow as tf

    from cnn_mnist.export.tensorflow.network import keras_network

    function = tf.function(keras_network(_network()), reduce_retracing=True)
    return lambda images: function(images.reshape(-1, 28, 28, 1)).numpy()


WAYS = {OURS: ours, EIGHT_BITS: in_8_bits, "ONNX Runtime": bare, "PyTorch": pytorch}
TENSORFLOW_WAYS = {"Keras": keras, "tf.function": tf_function}


def _network() -> Any:
    import torch

    from cnn_mnist.networks.build import build
    from cnn_mnist.recipe import named

    return build(named("standard"), 10, torch.Generator().manual_seed(0)).eval()


def examples(count: int) -> Images:
    """Return images of noise, `(count, 1, 28, 28) float32`."""
    return np.random.default_rng(0).random((count, 1, 28, 28), np.float32)


def time_one(name: str, model: Path, size: int) -> dict[str, Any]:
    """Time the calls of one way in this process; return their median and some logits."""
    classify = (WAYS | TENSORFLOW_WAYS)[name](model)
    images = examples(size)
    for _ in range(max(3, CALLS[size] // 10)):
        classify(images)
    times = []
    for _ in range(CALLS[size]):
        began = time.perf_counter()
        classify(images)
        times.append(time.perf_counter() - began)
    return {"median_s": statistics.median(times), "logits": classify(examples(9)).tolist()}


def measure(python: Path, name: str, model: Path, size: int) -> dict[str, Any]:
    """Run `time_one` in a new process."""
    command = [str(python), __file__, "--way", name, "--model", str(model), "--size", str(size)]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return dict(json.loads(run.stdout.splitlines()[-1]))


def compare(pythons: dict[str, Path], model: Path, size: int) -> dict[str, dict[str, float]]:
    """Measure all ways in turn, with calls of `size` images.

    Raises:
        AssertionError: the logits of two ways differ.
    """
    medians: dict[str, list[float]] = {name: [] for name in pythons}
    logits = {}
    for _ in range(ROUNDS):
        for name, python in pythons.items():
            result = measure(python, name, model, size)
            medians[name].append(result["median_s"])
            logits[name] = result["logits"]
    for name, given in logits.items():
        if name == EIGHT_BITS:
            continue
        np.testing.assert_allclose(given, logits["PyTorch"], atol=1e-4)
    own = statistics.median(medians[OURS])
    results = {}
    for name, values in medians.items():
        median = statistics.median(values)
        results[name] = {"median_s": median, "images_per_s": size / median, "ratio": median / own}
        print(f"{size} images, {name}: {1000 * median:.2f} ms", file=sys.stderr)
    return results


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tensorflow", type=Path, help="its environment; default: no TensorFlow")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--model", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        print(json.dumps(time_one(arguments.way, arguments.model, arguments.size)))
        return
    from cnn_mnist.export.onnx import export_onnx

    pythons = dict.fromkeys(WAYS, Path(sys.executable))
    if arguments.tensorflow:
        pythons |= dict.fromkeys(TENSORFLOW_WAYS, arguments.tensorflow / "bin" / "python")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.onnx"
        pixels = (examples(100)[:, 0] * 255).astype(np.uint8)
        export_onnx(_network(), model, pixels, {})
        export_onnx(_network(), model.with_name(INT8), pixels, {}, scales=pixels)
        sizes = {str(size): compare(pythons, model, size) for size in CALLS}
    print_result({"batches": sizes, "rounds": ROUNDS})


if __name__ == "__main__":
    main()
