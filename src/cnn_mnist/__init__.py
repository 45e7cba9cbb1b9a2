"""cnn-mnist: a deep convolutional network that reads handwritten digits.

The names below are imported when first used, so that `import cnn_mnist` costs next to nothing, and
predicting never imports torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:
    from cnn_mnist.classifier import Classifier
    from cnn_mnist.data.dataset import Dataset, Split
    from cnn_mnist.errors import CnnMnistError
    from cnn_mnist.inference.model import Model
    from cnn_mnist.reading.reader import read
    from cnn_mnist.reading.result import Reading
    from cnn_mnist.reading.training_pictures import load
    from cnn_mnist.recipe import RECIPES, Recipe
    from cnn_mnist.training.hooks import Hook
    from cnn_mnist.training.trials import run_trials

_HOMES = {
    "Classifier": "cnn_mnist.classifier",
    "CnnMnistError": "cnn_mnist.errors",
    "Dataset": "cnn_mnist.data.dataset",
    "Hook": "cnn_mnist.training.hooks",
    "Model": "cnn_mnist.inference.model",
    "RECIPES": "cnn_mnist.recipe",
    "Reading": "cnn_mnist.reading.result",
    "Recipe": "cnn_mnist.recipe",
    "Split": "cnn_mnist.data.dataset",
    "load": "cnn_mnist.reading.training_pictures",
    "read": "cnn_mnist.reading.reader",
    "run_trials": "cnn_mnist.training.trials",
}

__all__ = [
    "RECIPES",
    "Classifier",
    "CnnMnistError",
    "Dataset",
    "Hook",
    "Model",
    "Reading",
    "Recipe",
    "Split",
    "load",
    "read",
    "run_trials",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
