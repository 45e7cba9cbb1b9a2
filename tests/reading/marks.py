"""Make characters by hand, as the detector returns them, for the tests of reading."""

import numpy as np
import numpy.typing as npt

from cnn_mnist.reading.detector import CLASSES, Box, Mark
from cnn_mnist.reading.grey import Grey


def mark(box: Box, character: str = "7", score: float = 0.9) -> Mark:
    """Make a character; `letter` makes a letter."""
    return Mark(box, scores_of(character, score))


def scores_of(character: str, score: float) -> npt.NDArray[np.float32]:
    """Return the scores of a character, `(classes,)`."""
    scores = np.zeros(len(CLASSES), np.float32)
    scores[CLASSES.index(character)] = score
    return scores


class FakeDetector:
    """Replaces the detector: it finds what it is given, one answer a look; then the last again."""

    least_score = 0.5

    def __init__(self, *answers: list[Mark]) -> None:
        self.answers = list(answers)
        self.seen: list[Grey] = []

    def find(self, grey: Grey) -> list[Mark]:
        self.seen.append(grey)
        return self.answers[min(len(self.seen), len(self.answers)) - 1]
