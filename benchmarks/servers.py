"""Start the servers that are measured, and put load on them.

All of them serve the tutorial's network with the same weights, on a port of their own.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import create_connection, create_server
from typing import Any, TypeAlias

import numpy as np
import torch
from safetensors.torch import save_file

from cnn_mnist.export.onnx import export_onnx
from cnn_mnist.networks.build import build
from cnn_mnist.recipe import named

HERE = Path(__file__).parent
OURS = "cnn-mnist"
PATHS = {OURS: "/v2/models/cnn-mnist/infer"}
"""Where a server takes requests, if not at /predict."""
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 40.0

Command: TypeAlias = Callable[[int], list[str]]
"""The command line that starts a server on a port."""


def write_model(folder: Path) -> tuple[Path, Path]:
    """Write the tutorial's network, untrained (its speed is the same), as ONNX and as weights."""
    torch.manual_seed(0)
    network = build(named("standard"), classes=10).eval()
    images = np.random.default_rng(0).integers(0, 256, (100, 28, 28), np.uint8)
    export_onnx(network, folder / "model.onnx", images, {})
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(state, folder / "model.safetensors")
    return folder / "model.onnx", folder / "model.safetensors"


def write_body(folder: Path) -> Path:
    """Write one image as a request of the Open Inference Protocol, which all servers read."""
    values = np.random.default_rng(1).integers(0, 256, 784) / np.float32(255)
    tensor = {"name": "images", "shape": [1, 1, 28, 28], "datatype": "FP32"}
    body = folder / "body.json"
    data = [round(float(value), 4) for value in values]
    body.write_text(json.dumps({"inputs": [tensor | {"data": data}]}))
    return body


def commands(rivals: Path | None, model: Path, weights: Path) -> dict[str, Command]:
    """Return the commands that start our server and, from their environment, its rivals."""
    own = [sys.executable, "-m", "cnn_mnist", "serve", "--model", str(model), "--port"]
    found: dict[str, Command] = {OURS: lambda port: [*own, str(port)]}
    if rivals:
        python, lit, plain = (
            str(path)
            for path in (rivals / "bin/python", HERE / "rivals/lit.py", HERE / "rivals/plain.py")
        )
        found["fastapi-pytorch"] = lambda port: [python, plain, str(weights), str(port)]
        for workers, batch in ((1, 1), (2, 1), (1, 16), (2, 16)):
            name = f"litserve-{workers}-workers-batch-{batch}"
            found[name] = lambda port, tail=(str(workers), str(batch)): [  # type: ignore[misc]
                *(python, lit, str(model), str(port)),
                *tail,
            ]
    return found


@contextmanager
def served(command: Command) -> Iterator[tuple[int, int]]:
    """Run a server for the length of the block; give its port and its process id.

    Raises:
        RuntimeError: it does not accept connections within `START_TIMEOUT_S`.
    """
    port = free_port()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command(port), stdout=log, stderr=log, start_new_session=True)
        try:
            _wait_for(port, process)
            yield port, process.pid
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
            # LitServe leaves workers behind, which would disturb the next measurement
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """Return a TCP port of the loopback interface that no process listens on."""
    with create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end and process.poll() is None:
        try:
            create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not listen on port {port}: run it to see why")


def load(port: int, path: str, body: Path, **flags: object) -> dict[str, Any]:
    """Run benchmarks/load.py against a server and return its summary.

    Args:
        port: of the server, on the loopback interface.
        path: where requests are posted to.
        body: file with the body of every request.
        flags: of benchmarks/load.py.
    """
    command = [sys.executable, str(HERE / "load.py"), f"http://127.0.0.1:{port}{path}", str(body)]
    for name, value in flags.items():
        command += [f"--{name}", str(value)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(run.stdout.splitlines()[-1]))
