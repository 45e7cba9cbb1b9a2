"""Tell digits from what only resembles them.

A small network, see tools/train_rejector.py, looks at ink in MNIST's form alone: it knows shapes,
letters and scribbles that the detector takes for doubtful digits.
"""

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.inference.model import Model

REJECTOR: Final = Path(__file__).parent / "rejector.onnx"
"""Its classes are the ten digits and, as the last, anything else."""


class Rejector:
    """Says how probably something is a digit, in one thread."""

    def __init__(self) -> None:
        self._model = Model(REJECTOR, threads=1)
        self.threshold = float(self._model.metadata["threshold"])
        """The probability from which on an image is taken for a digit."""

    def digit_probabilities(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return how probably `(N, 28, 28)` images in [0, 1], in MNIST's form, are digits."""
        _, probabilities = self._model.predict(images)
        return np.asarray(1 - probabilities[:, -1], np.float32)
