"""A quarter of an hour at 70 % of the server's capacity, and its end under load.

    python benchmarks/soak.py > benchmarks/results/soak.json

First the capacity, by a closed loop at 32 connections; then an open loop at 70 % of it, latencies
from when a request was due, while the server's memory (all its processes) is read each second from
/proc; its growth is counted from a minute after the start. Then SIGTERM while a closed loop runs:
what the server's own log says it has accepted is compared with what was answered. The last line of
standard output is one JSON object.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from serve import OURS, PATHS, commands, load, served, write_body, write_model

from cnn_mnist.machine import machine, versions

SHARE = 0.7
SETTLED_S = 60.0


def memory_bytes(pid: int) -> int:
    """Resident memory of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return 1024 * resident + sum(memory_bytes(int(child)) for child in children)


class Memory(threading.Thread):
    """Reads a process's memory each second until told."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._pid = pid
        self._stop_ = threading.Event()
        self.read: list[int] = []

    def run(self) -> None:
        """The thread's work."""
        while not self._stop_.wait(1):
            self.read.append(memory_bytes(self._pid))

    def stop(self) -> list[int]:
        """The readings."""
        self._stop_.set()
        self.join()
        return self.read


def soak(port: int, pid: int, body: Path, rate: float, seconds: float) -> dict[str, Any]:
    """The long load, and the memory."""
    memory = Memory(pid)
    memory.start()
    result = load(port, PATHS[OURS], body, connections=64, rate=rate, seconds=seconds)
    read = memory.stop()
    settled = read[int(min(SETTLED_S, len(read) / 10)) :]
    tenth = max(1, len(settled) // 10)
    first, last = (statistics.median(part) for part in (settled[:tenth], settled[-tenth:]))
    return result | {"memory_first_bytes": first, "memory_growth_bytes": last - first}


def ended_under_load(command: list[str], body: Path, path: str) -> dict[str, Any]:
    """SIGTERM in the middle of a load: seconds to the end, and answers that never came."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stderr=log)
        port = int(command[-1])
        time.sleep(10)
        counts: list[dict[str, Any]] = []
        loads = threading.Thread(
            target=lambda: counts.append(load(port, path, body, connections=32, seconds=6))
        )
        loads.start()
        time.sleep(3)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
        took_s = time.monotonic() - began
        loads.join()
        log.seek(0)
        lines = [json.loads(line) for line in log if line.startswith("{")]
    accepted = sum(line.get("path") == path for line in lines)
    return {
        "exit_code": code,
        "seconds": took_s,
        "accepted": accepted,
        "answered": counts[0]["answers"],
        "lost": accepted - counts[0]["answers"],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--capacity-seconds", type=float, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = commands(None, *write_model(folder))[OURS]
        body = write_body(folder)
        with served(command) as (port, pid):
            flags = {"connections": 32, "seconds": arguments.capacity_seconds}
            capacity = load(port, PATHS[OURS], body, **flags)["per_s"]
            rate = round(SHARE * capacity)
            print(f"capacity {capacity:.0f}/s, rate {rate}/s", file=sys.stderr)
            result = soak(port, pid, body, rate, arguments.seconds)
        with served(command) as (port, _):
            pass  # its port is free now
        end = ended_under_load(command(port), body, PATHS[OURS])
    print(
        json.dumps(
            {
                "capacity_per_s": capacity,
                "rate_per_s": rate,
                **result,
                "end_under_load": end,
                "versions": versions() | {name: version(name) for name in ("fastapi", "uvicorn")},
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
