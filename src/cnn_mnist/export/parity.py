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
"""Largest difference of a logit between an exported float32 network and its source, for logits up
to 10 in size."""
RELATIVE_TOLERANCE: Final = 1e-5
"""The same as a share of the largest logit, which is what counts beyond that: float32 rounds to
6e-8 of a value, and two orders of summation in a deep network differ by some hundred such steps."""


def compare(source: Logits, exported: Logits, images: npt.NDArray[np.uint8]) -> dict[str, Any]:
    """Measure how far two networks differ on `(N, 28, 28) uint8` images.

    Returns:
        `max_abs_diff` (of a logit), `tolerance` (the largest that `require_parity` allows),
        `argmax_equal` (of every image), `changed` (images whose class differs), `n` (images
        compared).
    """
    difference, largest, changed = 0.0, 0.0, 0
    for start in range(0, len(images), BATCH_SIZE):
        batch = images[start : start + BATCH_SIZE]
        expected, result = source(batch), exported(batch)
        # not Python's max: it loses a NaN
        difference = float(np.maximum(difference, np.abs(expected - result).max()))
        largest = max(largest, float(np.abs(expected).max()))
        changed += int((expected.argmax(axis=1) != result.argmax(axis=1)).sum())
    return {
        "max_abs_diff": difference,
        "tolerance": max(TOLERANCE, RELATIVE_TOLERANCE * largest),
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
        ExportError: a class differs, or a logit by more than the comparison's `tolerance`.
    """
    # written so that NaN fails too
    difference, tolerance = comparison["max_abs_diff"], comparison["tolerance"]
    if not (comparison["argmax_equal"] and difference <= tolerance):
        raise ExportError(
            f"{path} was not written: the exported network differs from the trained one in "
            f"{comparison['changed']:,} of {comparison['n']:,} classes, and by {difference:.3g} in "
            f"a logit (the limit is {tolerance:.3g})"
        )
