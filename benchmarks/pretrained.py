"""Measure the accuracy of the bundled model, through ONNX Runtime alone.

    python benchmarks/pretrained.py > benchmarks/results/pretrained.json

The last line of standard output is one JSON object.
"""

from record import print_result

from cnn_mnist import Model, load
from cnn_mnist.evaluation.metrics import all_logits, metrics
from cnn_mnist.evaluation.mistake_sheet import worst_mistakes
from cnn_mnist.inference.model import BUNDLED


def main() -> None:
    """Score and print."""
    model, dataset = Model(BUNDLED), load("mnist")
    logits = all_logits(model.classify, dataset.test)
    result = metrics(logits, dataset.test.labels)
    mistakes = worst_mistakes(logits, dataset.test.labels, most=100)
    result |= {
        "file_bytes": BUNDLED.stat().st_size,
        "metadata": model.metadata,
        "mistakes": [vars(mistake) for mistake in mistakes],
    }
    print_result(result)


if __name__ == "__main__":
    main()
