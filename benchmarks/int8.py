"""Measure what 8-bit arithmetic costs in accuracy and gains in speed.

    CNN_MNIST_DATA=... python benchmarks/int8.py > benchmarks/results/int8.json

The recipe `standard` from three seeds, each exported in float32 and with `--arithmetic int8`; both
files read all test images with `Model`, in turn, several times. The last line of standard output is
one JSON object.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from record import print_result
from timing import in_turn

from cnn_mnist import Classifier, Model, load
from cnn_mnist.evaluation.metrics import evaluate

ROUNDS = 7


def main() -> None:
    """Train, export, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=3, help="number of seeds")
    seeds = range(parser.parse_args().n)
    dataset = load("mnist")
    runs = []
    with tempfile.TemporaryDirectory() as name:
        for seed in seeds:
            run = Classifier(Path(name) / str(seed), "standard", seed=seed)
            run.train(dataset)
            files: dict[str, Any] = {"float32": None, "int8": dataset.train.images}
            models = {}
            for kind, scales in files.items():
                path = Path(name) / f"{seed}-{kind}.onnx"
                run.export(dataset.test.images, path=path, scales=scales)
                models[kind] = Model(path)
            times = in_turn(
                {
                    kind: lambda model=model: model.classify(dataset.test.images)  # type: ignore[misc]
                    for kind, model in models.items()
                },
                rounds=ROUNDS,
                pause_s=0.2,
            )
            medians = {kind: statistics.median(values) for kind, values in times.items()}
            runs.append(
                {
                    "seed": seed,
                    "accuracy": {
                        kind: evaluate(model.classify, dataset.test)["accuracy"]
                        for kind, model in models.items()
                    },
                    "images_per_s": {
                        kind: len(dataset.test) / median for kind, median in medians.items()
                    },
                    "file_bytes": {
                        kind: model.path.stat().st_size for kind, model in models.items()
                    },
                    "times_as_fast": medians["float32"] / medians["int8"],
                }
            )
    lost = [run["accuracy"]["float32"] - run["accuracy"]["int8"] for run in runs]
    result = {
        "points_lost": {
            "mean": 100 * statistics.mean(lost),
            "sd": 100 * statistics.stdev(lost),
            "n": len(lost),
        },
        "times_as_fast": statistics.median(run["times_as_fast"] for run in runs),
        "runs": runs,
    }
    print_result(result)


if __name__ == "__main__":
    main()
