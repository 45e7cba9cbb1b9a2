"""What becomes of memory that is free again."""

import ctypes
import sys
from typing import Final

# The parameters of glibc's mallopt, by their names in malloc.h.
_M_TRIM_THRESHOLD: Final = -1
_M_TOP_PAD: Final = -2
_M_MMAP_THRESHOLD: Final = -3
_BLOCKS_BYTES: Final = (1 << 30, 1 << 25)  # older ones take no more than the second
_TRIM_BYTES: Final = 1 << 30
_PAD_BYTES: Final = 1 << 26


def keep_freed() -> None:
    """Have this process keep freed memory for itself, where the C library is glibc.

    A training step asks for the same large blocks as the one before. By itself glibc gives them
    back to the system, which clears every page of them when they are asked for again: a fourth of
    the time of a small network's step. It holds for the rest of the process: what is freed at the
    end, up to a GiB, is not given back either.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt and any(mallopt(_M_MMAP_THRESHOLD, size) for size in _BLOCKS_BYTES):
        mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)
        mallopt(_M_TOP_PAD, _PAD_BYTES)
