"""Tune the memory allocator of a process that trains."""

import ctypes
import sys
from typing import Final

# The parameters of glibc's mallopt, by their names in malloc.h.
_M_TRIM_THRESHOLD: Final = -1
_M_TOP_PAD: Final = -2
_M_MMAP_THRESHOLD: Final = -3
_MMAP_THRESHOLDS_BYTES: Final = (1 << 30, 1 << 25)  # older versions take the second at most
_TRIM_BYTES: Final = 1 << 30
_PAD_BYTES: Final = 1 << 26


def tune_malloc() -> None:
    """Have this process keep freed memory for itself, where the C library is glibc.

    A training step asks for the same large blocks as the step before. By default glibc returns them
    to the system, which clears every page when they are asked for again: a fourth of the time of a
    small network's step. The setting holds for the rest of the process, up to a GiB; call it only
    in a process whose work is training.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt and any(mallopt(_M_MMAP_THRESHOLD, size) for size in _MMAP_THRESHOLDS_BYTES):
        mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)
        mallopt(_M_TOP_PAD, _PAD_BYTES)
