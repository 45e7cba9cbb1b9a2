"""Import TensorFlow when it is first used, without its log messages, and on the CPU only."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from cnn_mnist.errors import needs_extra


def tensorflow() -> Any:
    """Return the module `tensorflow`.

    Sets TensorFlow's environment variables for the log level and oneDNN, unless the user has.

    Raises:
        MissingExtraError: it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors are raised, and reported by us
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # it logs a notice to standard error
    os.environ["KERAS_BACKEND"] = "tensorflow"  # other backends cannot write a SavedModel
    first = "tensorflow" not in sys.modules
    # silent: the import logs messages that obey no log level
    with needs_extra("tensorflow", "TensorFlow import and export"), quiet(), silent():
        import tensorflow as library

        if first:
            with suppress(RuntimeError):  # a GPU would be filled, and would round products
                library.config.set_visible_devices([], "GPU")
    return library


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress Python warnings inside the block: TensorFlow and Keras deprecate their own calls."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def silent() -> Iterator[None]:
    """Discard standard error inside the block, also what C++ code writes to it."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
