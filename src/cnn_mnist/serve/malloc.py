"""Tune the memory allocator of a process that serves."""

import ctypes
import sys
from typing import Final

_M_MMAP_THRESHOLD: Final = -3  # of glibc's mallopt, by its name in malloc.h
_BLOCK_BYTES: Final = 4 << 20


def return_large_blocks() -> None:
    """Have this process return large blocks to the system when they are freed, where it has glibc.

    By default, once a large block was freed, glibc keeps later ones in the heap of the thread that
    asked for them: after one large picture in each thread, the process holds the sum for good.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt:
        mallopt(_M_MMAP_THRESHOLD, _BLOCK_BYTES)
