"""What augmentation costs: training steps with and without it, in turn, A B A B ...

    python benchmarks/augmentation.py > benchmarks/results/augmentation.json

The reference network with batch normalisation, batch 100. The first steps warm up and are not
counted. The last line of standard output is one JSON object: medians in milliseconds, and the share
of the step that augmentation takes.
"""

import json
import statistics
import time

from cnn_mnist import load
from cnn_mnist.machine import machine, versions
from cnn_mnist.recipe import named
from cnn_mnist.train import Trainer

ROUNDS, WARM_UP = 100, 10


def main() -> None:
    """Measure and print."""
    dataset = load("auto")
    trainers = {
        augmentation: Trainer(
            named("accurate", augmentation=augmentation),
            dataset.train,
            dataset.classes,
            seed=0,
            device="cpu",
        )
        for augmentation in ("none", "affine")
    }
    times: dict[str, list[float]] = {augmentation: [] for augmentation in trainers}
    for round_number in range(WARM_UP + ROUNDS):
        for augmentation, trainer in trainers.items():
            began = time.perf_counter()
            trainer.advance()
            if round_number >= WARM_UP:
                times[augmentation].append((time.perf_counter() - began) * 1000)
    medians = {augmentation: statistics.median(values) for augmentation, values in times.items()}
    result = {
        "rounds": ROUNDS,
        "median_ms": medians,
        "share": 1 - medians["none"] / medians["affine"],
    }
    print(json.dumps(result | {"versions": versions(), "machine": machine()}))


if __name__ == "__main__":
    main()
