"""TensorFlow itself: imported when first used, kept quiet, and on the CPU."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from cnn_mnist.errors import needs_extra


def tensorflow() -> Any:
    """The library; its own environment variables are set where the user has not set them.

    Raises:
        MissingExtraError: it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors are raised, and said by us
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # it announces itself on standard error
    os.environ["KERAS_BACKEND"] = "tensorflow"  # the other ones write no SavedModel
    first = "tensorflow" not in sys.modules
    # silent: what it says while it is imported heeds no level
    with needs_extra("tensorflow", "the bridge to TensorFlow"), quiet(), silent():
        import tensorflow as library

        if first:
            with suppress(RuntimeError):  # a GPU would be filled, and multiply in fewer bits
                library.config.set_visible_devices([], "GPU")
    return library


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, the warnings of TensorFlow and Keras about themselves are not heard."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def silent() -> Iterator[None]:
    """Inside, nothing is written on standard error, not even by C++, which asks nobody."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
