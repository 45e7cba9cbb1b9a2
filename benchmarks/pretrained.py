"""How good the model in the box is, through `cnn_mnist.infer` alone.

    python benchmarks/pretrained.py > benchmarks/results/pretrained.json

The last line of standard output is one JSON object.
"""

import json

from cnn_mnist import Model, load
from cnn_mnist.evaluate import all_logits, figures
from cnn_mnist.infer import PRETRAINED
from cnn_mnist.machine import machine, versions
from cnn_mnist.mistakes import worst_mistakes


def main() -> None:
    """Score and print."""
    model, dataset = Model(PRETRAINED), load("mnist")
    logits = all_logits(model.classify, dataset.test)
    result = figures(logits, dataset.test.labels)
    mistakes = worst_mistakes(logits, dataset.test.labels, most=100)
    result |= {
        "file_bytes": PRETRAINED.stat().st_size,
        "metadata": model.metadata,
        "mistakes": [vars(mistake) for mistake in mistakes],
    }
    print(json.dumps(result | {"versions": versions(), "machine": machine()}))


if __name__ == "__main__":
    main()
