"""Describe what a figure was measured with: the machine and the versions of the libraries."""

import os
import platform
import sys
from contextlib import suppress
from pathlib import Path

LIBRARIES = (
    *("cnn-mnist", "numpy", "onnxruntime", "opencv-python-headless", "pillow", "safetensors"),
    *("scikit-learn", "torch"),
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed libraries that can change a result."""
    # imported here: it loads an e-mail parser, for which reading an image need not wait
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[library] = version(library)
    return found


def machine() -> dict[str, str | int]:
    """Return the processor, its usable cores, the architecture and the operating system."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "architecture": platform.machine(),
        "system": platform.system(),
    }


def cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
