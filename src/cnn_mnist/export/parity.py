"""Compare an exported network with its source on real images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.errors import ExportError
from cnn_mnist.evaluation.metrics import Logits
from cnn_mnist.inference.model import BATCH_SIZE

TOLERANCE: Final = 1e-4
"""Largest difference of a logit between an exported float32 network and its source."""


def compare(source: Logits, exported: Logits, images: npt.NDArray[np.uint8]) -> dict[str, Any]:
    """Measure how far two networks differ on `(N, 28, 28) uint8` images.

    Returns:
        `max_abs_diff` (of a logit), `argmax_equal` (of every image), `changed` (images whose class
        differs), `n` (images compared).
    """
    difference, changed = 0.0, 0
    for start in range(0, len(images), BATCH_SIZE):
        batch = images[start : start + BATCH_SIZE]
        expected, result = source(batch), exported(batch)
        # not Python's max: it loses a NaN
        difference = float(np.maximum(difference, np.abs(expected - result).max()))
        changed += int((expected.argmax(axis=1) != result.argmax(axis=1)).sum())
    return {
        "max_abs_diff": difference,
        "argmax_equal": not changed,
        "changed": changed,
        "n": len(images),
    }


def require_parity(path: Path, comparison: Mapping[str, Any]) -> None:
    """Refuse an export that differs from its source.

    Args:
        path: where it was to be written.
        comparison: see `compare`.

    Raises:
        ExportError: a class differs, or a logit by more than `TOLERANCE`.
    """
    # written so that NaN fails too
    if not (comparison["argmax_equal"] and comparison["max_abs_diff"] <= TOLERANCE):
        raise ExportError(
            f"{path} was not written: the exported network differs from the trained one by "
            f"{comparison['max_abs_diff']:.3g} in a logit (the limit is {TOLERANCE:g})"
        )
