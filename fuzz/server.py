"""Fuzz the server with damaged and senseless requests: no crash, no status 5xx except 503.

    python fuzz/server.py --n 100000 > benchmarks/results/serve_fuzz.json

Three kinds of requests: `n` hostile bodies (JSON, binary tensors, forms, pictures; see `bodies`),
`CLIENTS` at a time; those that schemathesis generates from the server's own OpenAPI
document, valid and invalid, and each path with each of the eight methods; and damaged requests as
raw bytes. Meanwhile another process asks for the server's health, and afterwards its peak of memory
is compared to what it had when idle. The last line of standard output is one JSON object; failures
are printed. Needs Linux.
"""

import argparse
import json
import re
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import requests
import schemathesis
from bodies import INFER, case
from health import SLOW_S, watched
from hypothesis import HealthCheck, Phase, given, seed, settings
from pictures import drawing, mutated
from schemathesis.generation import GenerationMode

from cnn_mnist.machine import machine, versions

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
CLIENTS = 8


class Watch:
    """Counts answers by status, and prints the failures."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.wrong = 0

    def see(self, what: str, status: int | str) -> None:
        """Count an answer by its status, or by the reason why there was none."""
        self.statuses[str(status)] += 1
        fine = status in ("closed", "not sent") or (isinstance(status, int) and status < 500)
        if not fine and status != 503:
            self.wrong += 1
            print(f"{what}: {status}")


def bodies(url: str, count: int, watch: Watch) -> None:
    """Send hostile bodies, several at a time."""
    session = threading.local()

    def send(number: int) -> None:
        if not hasattr(session, "own"):
            session.own = requests.Session()
        asked = case(number)
        post = partial(session.own.post, url + asked.path, asked.body, timeout=60)
        status = _status(partial(post, headers=asked.headers))
        closed = isinstance(status, str) and status.startswith("no answer")
        with watch.lock:
            watch.see(f"{asked.kind} {number}", "closed" if closed else status)

    with ThreadPoolExecutor(CLIENTS) as pool:
        for _ in pool.map(send, range(count)):
            pass


def from_document(url: str, count: int, watch: Watch) -> None:
    """Send what schemathesis generates for each path, with its own method and with all others."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    session = requests.Session()
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @seed(0)
            @settings(
                max_examples=count,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def send(case: Any) -> None:
                arguments = case.as_transport_kwargs(base_url=url)
                other = METHODS[sum(watch.statuses.values()) % len(METHODS)]
                for method in (case.method, other):
                    arguments["method"] = method
                    status = _status(lambda: session.request(**arguments, timeout=30))
                    watch.see(f"{method} {case.path}", status)

            try:
                send()
            except Exception as error:  # a path without parameters has no invalid cases
                if type(error).__name__ not in ("Unsatisfiable", "InvalidArgument"):
                    raise
        for method in METHODS:
            path = operation.full_path
            for body in (None, b"", b"{}", b"\x00" * 70_000):
                status = _status(
                    partial(session.request, method, url + path, data=body, timeout=30)
                )
                watch.see(f"{method} {path}", status)


def _status(send: Callable[[], requests.Response]) -> int | str:
    try:
        return send().status_code
    except (UnicodeError, ValueError, requests.exceptions.InvalidHeader):
        return "not sent"  # HTTP does not allow it
    except requests.exceptions.ConnectionError as error:
        return f"no answer: {error}"


def seeds() -> dict[str, bytes]:
    """Return valid requests as bytes."""
    stream = BytesIO()
    drawing().save(stream, "PNG")
    picture = stream.getvalue()
    tensor = {"name": "images", "shape": [1, 1, 28, 28], "datatype": "FP32", "data": [0.5] * 784}
    infer = json.dumps({"inputs": [tensor]}).encode()
    boundary = b"--b\r\nContent-Disposition: form-data; name=file; filename=x.png\r\n\r\n"
    form = boundary + picture + b"\r\n--b--\r\n"
    parts = picture[:99], picture[99:], b""
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return {
        "page": _request("GET", "/"),
        "metrics": _request("GET", "/metrics"),
        "picture": _request("POST", "/predict", picture),
        "layers": _request("POST", "/layers?digit=0", picture),
        "form": _request("POST", "/predict", form, "Content-Type: multipart/form-data; boundary=b"),
        "infer": _request("POST", INFER, infer),
        "pipeline": _request("GET", "/v2") * 3,
        "chunks": b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
    }


def _request(method: str, path: str, body: bytes = b"", *fields: str) -> bytes:
    length = [f"Content-Length: {len(body)}"] if body else []
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *fields, *length, "", ""]
    return "\r\n".join(lines).encode() + body


def raw(port: int, count: int, watch: Watch) -> None:
    """Send damaged requests, each on a connection of its own."""
    files = seeds()
    for number in range(count):
        form, content = mutated(files, number)
        watch.see(f"raw {number}, {form}", _first_status(port, content))


def _first_status(port: int, content: bytes) -> int | str:
    with socket.create_connection(("127.0.0.1", port), timeout=40) as client:
        try:
            client.sendall(content)
            client.shutdown(socket.SHUT_WR)
            received = b""
            while part := client.recv(1 << 16):
                received += part
        except TimeoutError:
            return "hung"
        except OSError:
            return "closed"
    worst = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) [A-Z]", received)]
    return max(worst, default="closed")


def memory(pid: int, field: str) -> int:
    """Return the resident memory of a process in bytes: `VmRSS` now, `VmHWM` at its peak."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition(f"{field}:")[2].split()[0]) * 1024


def run(count: int) -> dict[str, Any]:
    """Send all three kinds of requests to a server of their own; return the counts."""
    command = [sys.executable, "-m", "cnn_mnist", "serve", "--port", "0"]
    watches = {"bodies": Watch(), "document": Watch(), "raw": Watch()}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        match = re.search(r"http://127\.0\.0\.1:(\d+)", process.stderr.readline())
        assert match
        lines = process.stderr
        tracebacks: list[str] = []
        reader = threading.Thread(
            target=lambda: tracebacks.extend(line for line in lines if "traceback" in line.lower())
        )
        reader.start()
        try:
            url, port = match[0], int(match[1])
            requests.get(f"{url}/v2/health/ready", timeout=30)
            idle_bytes = memory(process.pid, "VmRSS")
            with watched(port) as health:
                bodies(url, count, watches["bodies"])
                from_document(url, max(20, count // 50), watches["document"])
                raw(port, max(20, count // 50), watches["raw"])
            peak_bytes = memory(process.pid, "VmHWM")
            alive = requests.get(f"{url}/v2/health/ready", timeout=30).status_code == 200
        finally:
            process.terminate()
            code = process.wait(40)
            reader.join()
    for line in tracebacks:
        print(line, end="")
    return {
        "n": count,
        **{name: dict(sorted(watch.statuses.items())) for name, watch in watches.items()},
        "wrong": sum(watch.wrong for watch in watches.values()),
        "tracebacks": len(tracebacks),
        "alive": alive,
        "exit_code": code,
        "idle_bytes": idle_bytes,
        "peak_bytes": peak_bytes,
        "health": {"limit_s": SLOW_S, **vars(health)},
    }


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=2000, help="number of bodies")
    result = run(parser.parse_args().n)
    print(json.dumps(result | {"versions": versions(), "machine": machine()}))


if __name__ == "__main__":
    main()
