"""Test the server as a process: its start, its workers, a full queue, and its shutdown."""

import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from linear_model import save
from serving import BODY, INFER, SLOW, Server, drawn, serving

from cnn_mnist.cli import cli


@pytest.mark.parametrize("content", [b"", b"two words", b"two\nlines", b"\xff"])
def test_a_token_file_without_a_token_is_one_line_and_exit_3(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    result = CliRunner().invoke(cli, ["serve", "--token-file", str(file)])
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert "is not a token file" in result.stderr


def test_a_model_that_cannot_be_served_is_one_line_and_exit_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linear_model.WEIGHTS", np.zeros((784, 26), np.float32))
    save(tmp_path / "letters.onnx", shape=("batch", 26))
    for model, says in (
        (tmp_path / "letters.onnx", "26 classes"),
        (tmp_path / "no", "not a model"),
    ):
        result = CliRunner().invoke(cli, ["serve", "--model", str(model)])
        assert result.exit_code == 3
        assert result.stderr.count("\n") == 1
        assert says in result.stderr


def test_a_port_in_use_is_one_line_and_exit_3() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(cli, ["serve", "--port", str(port)])
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert "choose another" in result.stderr


def load(server: Server, client: int, until: threading.Event, answered: set[str]) -> set[str]:
    """Send requests until told to stop; return the ids of those without a response."""
    lost = set()
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    for number in count():
        if until.is_set():
            break
        id_ = f"{client}-{number}"
        try:
            connection.request("POST", INFER, BODY, {"X-Request-ID": id_})
            response = connection.getresponse()
            response.read()
            assert response.status == 200
            answered.add(id_)
        except OSError:
            lost.add(id_)
            connection.close()
    connection.close()
    return lost


@pytest.mark.parametrize("workers", [1, 2])
def test_shutdown_under_load_loses_nothing_and_is_exit_0(workers: int) -> None:
    with serving("--workers", workers) as server, ThreadPoolExecutor(8) as pool:
        until, answered = threading.Event(), set[str]()
        clients = [pool.submit(load, server, n, until, answered) for n in range(8)]
        time.sleep(1)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        states = set()
        try:
            while server.process.poll() is None:
                with suppress(OSError):
                    states.add(server.ask("GET", "/v2/health/ready")[0])
                time.sleep(0.05)
        finally:
            until.set()
        assert server.process.returncode == 0
        assert time.monotonic() - began < 30
        lost = set().union(*(client.result(60) for client in clients))
    assert 503 in states  # readiness turns false first
    # a request after the end of listening was never accepted; all accepted ones are answered
    accepted = {line["request_id"] for line in server.log if line.get("path") == INFER}
    assert len(answered) > 20
    assert accepted == answered
    assert accepted.isdisjoint(lost)
    assert not any("traceback" in line for line in server.log)


def test_ctrl_c_is_exit_130() -> None:
    for workers in (1, 2):
        with serving("--workers", workers) as server:
            assert server.end(signal.SIGINT) == 130


def test_a_worker_that_dies_is_replaced_and_the_metrics_are_of_all_workers() -> None:
    with serving("--workers", 2) as server:
        found = subprocess.run(
            ["pgrep", "-P", str(server.process.pid), "-f", "multiprocessing.spawn"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        workers = [int(pid) for pid in found.stdout.split()]
        assert len(workers) == 2
        for _ in range(20):
            assert server.ask("POST", "/predict", drawn("7"))[0] == 200
        page = server.ask("GET", "/metrics")[2].decode()
        assert 'cnn_mnist_requests_total{route="/predict",status="200"} 20.0' in page
        subprocess.run(["kill", "-9", str(workers[0])], check=True)
        time.sleep(3)
        for _ in range(10):
            assert server.ask("POST", "/predict", drawn("7"))[0] == 200
        assert server.end() == 0


def test_a_full_queue_is_503_with_retry_after() -> None:
    tight = "from cnn_mnist.serve.settings import Settings\nSettings.__init__.__kwdefaults__.update"
    with serving("--threads", 1, before=f"{tight}(max_waiting=2)\n{SLOW}") as server:
        with ThreadPoolExecutor(12) as pool:
            asked = [pool.submit(server.ask, "POST", INFER, BODY) for _ in range(12)]
            answers = [task.result() for task in asked]
        statuses = sorted(status for status, _, _ in answers)
        assert statuses.count(200) >= 3
        assert statuses.count(503) >= 3
        assert set(statuses) == {200, 503}
        assert {fields["retry-after"] for status, fields, _ in answers if status == 503} == {"1"}


def test_the_server_starts_without_torch() -> None:
    code = "import sys; sys.modules['torch'] = None\nfrom cnn_mnist.serve.app import create_app\n"
    code += "from cnn_mnist.serve.settings import Settings\ncreate_app(Settings())"
    subprocess.run([sys.executable, "-c", code], check=True)
