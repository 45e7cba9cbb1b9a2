"""Load the server for a quarter of an hour at 70 % of its capacity, and stop it under load.

    python benchmarks/soak.py > benchmarks/results/soak.json

First the capacity, by a closed loop at 32 connections. Then an open loop at 70 % of it, with
latencies from the time at which a request was due; meanwhile the server's memory (all of its
processes) is read every second, and its growth is counted from a minute after the start. Then
SIGTERM during a closed loop: the number of requests that the server's log says it accepted is
compared with the number of answers. The last line of standard output is one JSON object.
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
from pathlib import Path
from typing import Any

from processes import memory_bytes
from record import print_result
from servers import OURS, PATHS, commands, free_port, load, served, write_body, write_model

SHARE = 0.7
SETTLED_S = 60.0


class MemoryReader(threading.Thread):
    """A thread that reads the memory of a process and its children every second."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._pid = pid
        self._stopped = threading.Event()
        self._readings: list[int] = []

    def run(self) -> None:
        """Read until stopped."""
        while not self._stopped.wait(1):
            self._readings.append(memory_bytes(self._pid))

    def stop(self) -> list[int]:
        """Stop, and return the readings in bytes."""
        self._stopped.set()
        self.join()
        return self._readings


def soak(port: int, pid: int, body: Path, rate: float, seconds: float) -> dict[str, Any]:
    """Load a server for a long time; return the summary and the growth of the memory."""
    reader = MemoryReader(pid)
    reader.start()
    result = load(port, PATHS[OURS], body, connections=64, rate=rate, seconds=seconds)
    readings = reader.stop()
    settled = readings[int(min(SETTLED_S, len(readings) / 10)) :]
    tenth = max(1, len(settled) // 10)
    first, last = (statistics.median(part) for part in (settled[:tenth], settled[-tenth:]))
    return result | {"memory_first_bytes": first, "memory_growth_bytes": last - first}


def stop_under_load(command: list[str], body: Path, path: str) -> dict[str, Any]:
    """Send SIGTERM during a load; return the seconds until the end and the lost requests."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stderr=log)
        port = int(command[-1])
        time.sleep(10)
        summaries: list[dict[str, Any]] = []
        loads = threading.Thread(
            target=lambda: summaries.append(load(port, path, body, connections=32, seconds=6))
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
    answered = summaries[0]["answers"]
    return {
        "exit_code": code,
        "seconds": took_s,
        "accepted": accepted,
        "answered": answered,
        "lost": accepted - answered,
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
        end = stop_under_load(command(free_port()), body, PATHS[OURS])
    result = {
        "capacity_per_s": capacity,
        "rate_per_s": rate,
        **result,
        "end_under_load": end,
    }
    print_result(result, "fastapi", "uvicorn")


if __name__ == "__main__":
    main()
