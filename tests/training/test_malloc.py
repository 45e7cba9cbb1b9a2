"""Freed memory stays with a process whose allocator was tuned."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import numpy as np
from cnn_mnist.training.malloc import tune_malloc

if sys.argv[1] == "kept":
    tune_malloc()

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(40 << 20, np.uint8)  # written, and freed again
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it is glibc that is told")
def test_freed_pages_are_not_cleared_for_every_use() -> None:
    counts = {}
    for how in ("kept", "given back"):
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
        )
        counts[how] = int(run.stdout)
    if counts["given back"] < 1000:
        pytest.skip("this C library keeps memory by itself")
    assert counts["kept"] < counts["given back"] / 10
