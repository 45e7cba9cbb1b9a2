"""Describe what a figure was measured with: the machine and the versions of the libraries."""

import math
import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

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
    """Return how many processor cores this process may use, at least 1.

    The affinity and the CPU quota of a container (cgroup version 1 and 2) limit them. A part of a
    core counts as a whole one.
    """
    if hasattr(os, "sched_getaffinity"):
        usable = len(os.sched_getaffinity(0))
    else:
        usable = os.cpu_count() or 1
    return max(1, min([usable, *(math.ceil(quota) for quota in _quotas(Path("/")))]))


def _quotas(root: Path) -> Iterator[float]:
    """Yield the CPU quotas, in cores, of this process's control groups and of those around them.

    Inside a container, the path of its group is often the host's, which does not exist there: the
    limits of the container are in the root.

    Args:
        root: of the file system, which holds `proc` and `sys`.
    """
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        group = PurePosixPath(path.lstrip("/"))
        for mount in ("", "unified") if not controllers else (controllers, "cpu"):
            for folder in (group, *group.parents):
                yield from _quota(root / "sys/fs/cgroup" / mount / folder)


def _quota(group: Path) -> Iterator[float]:
    """Yield the quota of a control group, if it has one: its share of each period."""
    quota, _, period = _text(group / "cpu.max").partition(" ")
    if not quota:
        quota = _text(group / "cpu.cfs_quota_us")
        period = _text(group / "cpu.cfs_period_us")
    with suppress(ValueError, ZeroDivisionError):  # `max`, or no quota
        if (share := int(quota) / int(period)) > 0:  # -1 is no quota, too
            yield share


def _text(path: Path) -> str:
    """Return the content of a file of the system; nothing where it cannot be read."""
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""


def _processor() -> str:
    for line in _text(Path("/proc/cpuinfo")).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
