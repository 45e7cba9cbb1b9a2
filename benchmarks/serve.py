"""Compare our server with LitServe and with a plain FastAPI handler that calls PyTorch.

    python3 -m venv .venv-rivals
    .venv-rivals/bin/pip install -c constraints.txt litserve torch onnxruntime safetensors
    python benchmarks/serve.py --rivals .venv-rivals > benchmarks/results/serve.json

All serve the tutorial's network with the same weights, in turn, in several rounds, on the machine
that also generates the load. First a closed loop at 32 connections, by which the best configuration
of LitServe is chosen; then an open loop at a rate that the slowest of them can serve. Results are
medians over the rounds, after a warm-up of each server. Then 10,000 requests at 10 connections, and
the cost of a request beyond `Model` in as many threads. The last line of standard output is one
JSON object.
"""

import argparse
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from processes import cpu_s
from record import print_result
from servers import OURS, PATHS, Command, commands, load, served, write_body, write_model

from cnn_mnist import Model
from cnn_mnist.machine import machine

WARM_UP_S = 2.0


def measure(name: str, command: Command, body: Path, **flags: object) -> dict[str, Any]:
    """Start a server, warm it up, and return the summary of one load.

    Adds `cpu_us`, the processor time of the server for one answer in microseconds.
    """
    path = PATHS.get(name, "/predict")
    with served(command) as (port, pid):
        load(port, path, body, seconds=WARM_UP_S)
        before_s = cpu_s(pid)
        result = load(port, path, body, **flags)
        result["cpu_us"] = 1e6 * (cpu_s(pid) - before_s) / max(1, result["answers"])
    print(f"{name}: {result}", file=sys.stderr)
    return result


def measure_all(
    servers: dict[str, Command], body: Path, rounds: int, **flags: object
) -> dict[str, dict[str, Any]]:
    """Measure servers in turn, several times; return the medians of each server."""
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, command in servers.items():
            results[name].append(measure(name, command, body, **flags))
    return {name: median(found) for name, found in results.items()}


def median(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each value, and the failures of all results together."""
    failures = sum(sum(result.pop("failures").values()) for result in results)
    medians = {key: statistics.median(result[key] for result in results) for key in results[0]}
    return medians | {"failures": failures}


def without_server(model: Path, seconds: float, threads: int) -> float:
    """Return images per second of `Model` alone, one image at a time in each thread."""
    network = Model(model, threads=1)
    image = np.random.default_rng(2).random((1, 28, 28), np.float32)
    network.predict(image)
    end = time.perf_counter() + seconds

    def predict(_: int) -> int:
        count = 0
        while time.perf_counter() < end:
            network.predict(image)
            count += 1
        return count

    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(predict, range(threads))) / (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rivals", type=Path, help="environment of the rivals; default: no rivals")
    parser.add_argument("--seconds", type=float, default=15, help="length of each load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=10_000, help="at 10 connections")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, weights = write_model(folder)
        body = write_body(folder)
        servers = commands(arguments.rivals, model, weights)
        seconds, rounds = arguments.seconds, arguments.rounds
        closed = measure_all(servers, body, rounds, connections=32, seconds=seconds)
        lits = [name for name in servers if name.startswith("litserve")]
        best = max(lits, key=lambda name: closed[name]["per_s"], default=None)
        kept = {name: how for name, how in servers.items() if name not in lits or name == best}
        rate = round(0.7 * min(closed[name]["per_s"] for name in kept))
        opened = measure_all(kept, body, rounds, connections=64, seconds=seconds, rate=rate)
        many = measure(OURS, servers[OURS], body, connections=10, requests=arguments.requests)
        cores = int(machine()["cores"])
        alone = without_server(model, seconds, cores)
    ours = closed[OURS]["per_s"]
    result = {
        "closed": closed,
        "open_rate": rate,
        "open": opened,
        "ratios": {name: ours / found["per_s"] for name, found in closed.items() if name != OURS},
        "best_litserve": best,
        "concurrency_10": many,
        "bare_images_per_s": alone,
        "cost_us": 1e6 * cores * (1 / ours - 1 / alone),
        "rounds": rounds,
    }
    print_result(result, "fastapi", "uvicorn")


if __name__ == "__main__":
    main()
