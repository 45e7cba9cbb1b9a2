"""The server side by side with LitServe and with a plain FastAPI handler that calls PyTorch.

    python3 -m venv .venv-rivals
    .venv-rivals/bin/pip install -c constraints.txt litserve torch onnxruntime safetensors
    python benchmarks/serve.py --rivals .venv-rivals > benchmarks/results/serve.json

All serve the tutorial's network with the same weights, on one machine together with the load, in
turn, in several rounds: a closed loop at 32 connections, by which the best configuration of
LitServe is chosen; then an open loop at a rate that the slowest of them can bear. Reported are
medians over the rounds; the first seconds of each server are not counted. Then 10,000 requests at
10 connections, and the cost of a request over `infer.Model` in as many threads. The last line of
standard output is one JSON object.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from socket import create_connection, create_server
from typing import Any, TypeAlias

import numpy as np
import torch
from safetensors.torch import save_file

from cnn_mnist.export import export_onnx
from cnn_mnist.infer import Model
from cnn_mnist.machine import machine, versions
from cnn_mnist.model import build
from cnn_mnist.recipe import named

HERE = Path(__file__).parent
OURS = "cnn-mnist"
Command: TypeAlias = Callable[[int], list[str]]
"""How a server is started on a port."""
PATHS = {OURS: "/v2/models/cnn-mnist/infer"}
WARM_UP_S = 2.0
PORT_S = 120.0


def write_model(folder: Path) -> tuple[Path, Path]:
    """The tutorial's network, untrained (its speed is the same), as ONNX and as weights."""
    torch.manual_seed(0)
    network = build(named("standard"), classes=10).eval()
    images = np.random.default_rng(0).integers(0, 256, (100, 28, 28), np.uint8)
    export_onnx(network, folder / "model.onnx", images, {})
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(state, folder / "model.safetensors")
    return folder / "model.onnx", folder / "model.safetensors"


def write_body(folder: Path) -> Path:
    """One image as a request of the Open Inference Protocol; all of the servers read it."""
    values = np.random.default_rng(1).integers(0, 256, 784) / np.float32(255)
    tensor = {"name": "images", "shape": [1, 1, 28, 28], "datatype": "FP32"}
    body = folder / "body.json"
    data = [round(float(value), 4) for value in values]
    body.write_text(json.dumps({"inputs": [tensor | {"data": data}]}))
    return body


def commands(rivals: Path | None, model: Path, weights: Path) -> dict[str, Command]:
    """How each server is started on a port."""
    own = [sys.executable, "-m", "cnn_mnist", "serve", "--model", str(model), "--port"]
    started: dict[str, Command] = {OURS: lambda port: [*own, str(port)]}
    if rivals:
        python, lit, plain = (
            str(path)
            for path in (rivals / "bin/python", HERE / "rivals/lit.py", HERE / "rivals/plain.py")
        )
        started["fastapi-pytorch"] = lambda port: [python, plain, str(weights), str(port)]
        for workers, batch in ((1, 1), (2, 1), (1, 16), (2, 16)):
            name = f"litserve-{workers}-workers-batch-{batch}"
            started[name] = lambda port, tail=(str(workers), str(batch)): [  # type: ignore[misc]
                *(python, lit, str(model), str(port)),
                *tail,
            ]
    return started


@contextmanager
def served(command: Command) -> Iterator[tuple[int, int]]:
    """A running server: its port and its process id."""
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command(port), stdout=log, stderr=log, start_new_session=True)
        try:
            _wait_for(port, process)
            yield port, process.pid
        finally:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
            # LitServe's workers outlive it, and would disturb what is measured next
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + PORT_S
    while time.monotonic() < end and process.poll() is None:
        try:
            create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not listen")


def load(port: int, path: str, body: Path, **flags: object) -> dict[str, Any]:
    """What benchmarks/load.py measures."""
    command = [sys.executable, str(HERE / "load.py"), f"http://127.0.0.1:{port}{path}", str(body)]
    for name, value in flags.items():
        command += [f"--{name}", str(value)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(run.stdout.splitlines()[-1]))


def measured(name: str, command: Command, body: Path, **flags: object) -> dict[str, Any]:
    """One server under one load, after warm-up."""
    path = PATHS.get(name, "/predict")
    with served(command) as (port, pid):
        load(port, path, body, seconds=WARM_UP_S)
        before_s = cpu_s(pid)
        result = load(port, path, body, **flags)
        result["cpu_us"] = 1e6 * (cpu_s(pid) - before_s) / max(1, result["answers"])
    print(f"{name}: {result}", file=sys.stderr)
    return result


def cpu_s(pid: int) -> float:
    """Processor time that a process and its children have taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(cpu_s(int(child)) for child in children)


def median(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Of each figure; failures of all rounds together."""
    failures = sum(sum(result.pop("failures").values()) for result in results)
    figures = {key: statistics.median(result[key] for result in results) for key in results[0]}
    return figures | {"failures": failures}


def bare(model: Path, seconds: float, threads: int) -> float:
    """Images a second of `infer.Model` alone, one at a time in each thread."""
    network = Model(model, threads=1)
    image = np.random.default_rng(2).random((1, 28, 28), np.float32)
    network.predict(image)
    end = time.perf_counter() + seconds

    def one(_: int) -> int:
        count = 0
        while time.perf_counter() < end:
            network.predict(image)
            count += 1
        return count

    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(one, range(threads))) / (time.perf_counter() - began)


def rounds_of(
    started: dict[str, Command], body: Path, rounds: int, **flags: object
) -> dict[str, dict[str, Any]]:
    """All servers in turn, several times."""
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in started}
    for _ in range(rounds):
        for name, command in started.items():
            results[name].append(measured(name, command, body, **flags))
    return {name: median(rounds) for name, rounds in results.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rivals", type=Path, help="their environment; without it, no rivals")
    parser.add_argument("--seconds", type=float, default=15, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=10_000, help="at 10 connections")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, weights = write_model(folder)
        body = write_body(folder)
        started = commands(arguments.rivals, model, weights)
        seconds, rounds = arguments.seconds, arguments.rounds
        closed = rounds_of(started, body, rounds, connections=32, seconds=seconds)
        lits = [name for name in started if name.startswith("litserve")]
        best = max(lits, key=lambda name: closed[name]["per_s"], default=None)
        kept = {name: how for name, how in started.items() if name not in lits or name == best}
        rate = round(0.7 * min(closed[name]["per_s"] for name in kept))
        opened = rounds_of(kept, body, rounds, connections=64, seconds=seconds, rate=rate)
        many = measured(OURS, started[OURS], body, connections=10, requests=arguments.requests)
        cores = int(machine()["cores"])
        alone = bare(model, seconds, cores)
    ours = closed[OURS]["per_s"]
    ratios = {name: ours / result["per_s"] for name, result in closed.items() if name != OURS}
    print(
        json.dumps(
            {
                "closed": closed,
                "open_rate": rate,
                "open": opened,
                "ratios": ratios,
                "best_litserve": best,
                "concurrency_10": many,
                "bare_images_per_s": alone,
                "cost_us": 1e6 * cores * (1 / ours - 1 / alone),
                "rounds": rounds,
                "versions": versions() | {name: version(name) for name in ("fastapi", "uvicorn")},
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
