"""Run processes, and read their processor time and memory from /proc (Linux)."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path


def run(command: Sequence[str]) -> None:
    """Run a command to its end and drop what it prints.

    Raises:
        CalledProcessError: its exit code is not 0.
    """
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def peak_mb(pid: int | str = "self") -> float:
    """Return the peak resident memory of a process in MiB; 0 if the process has just ended.

    `getrusage` would be wrong: a child inherits the peak of its parent.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    _, found, rest = status.partition("VmHWM:")
    return int(rest.split()[0]) / 1024 if found else 0.0


def cpu_s(pid: int) -> float:
    """Return the processor time in seconds of a process and its children."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu_s(child) for child in _children(pid))


def memory_bytes(pid: int) -> int:
    """Return the resident memory of a process and its children."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return 1024 * resident + sum(memory_bytes(child) for child in _children(pid))


def _children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in children.split()]
