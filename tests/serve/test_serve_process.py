"""Test the server as a process: its start, its workers, a full queue, and its shutdown."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
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


def test_a_model_that_cannot_be_served_is_one_line_and_exit_3(tmp_path: Path) -> None:
    save(tmp_path / "named.onnx", metadata={"class_names": "[]"})
    for model, says in (
        (tmp_path / "named.onnx", "class names that cannot be used"),
        (tmp_path / "no", "not a model"),
    ):
        result = CliRunner().invoke(cli, ["serve", "--model", str(model)])
        assert result.exit_code == 3
        assert result.stderr.count("\n") == 1
        assert says in result.stderr


def test_a_network_of_named_classes_is_served_under_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"kind {number}" for number in range(26)]
    weights = np.zeros((784, 26), np.float32)
    weights[:, 25] = 1
    monkeypatch.setattr("linear_model.WEIGHTS", weights)
    metadata = {"class_names": json.dumps(names)}
    model = save(tmp_path / "letters.onnx", shape=("batch", 26), metadata=metadata)
    with serving("--model", model) as server:
        reading = json.loads(server.ask("POST", "/predict", drawn("1", "7"))[2])
        assert reading["text"] == "kind 25 kind 25"
        assert [(d["class"], d["name"]) for d in reading["digits"]] == [(25, "kind 25")] * 2
        assert json.loads(server.ask("POST", "/layers", drawn("1"))[2])["class_names"] == names
        described = json.loads(server.ask("GET", "/v2/models/cnn-mnist")[2])
        assert json.loads(described["parameters"]["class_names"]) == names
        outputs = json.loads(server.ask("POST", INFER, BODY)[2])["outputs"]
        assert [output["shape"] for output in outputs] == [[1, 26], [1, 26]]


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
    connection = HTTPConnection("127.0.0.1", server.port, timeout=120)
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
        workers = worker_pids(server)
        assert len(workers) == 2
        for _ in range(20):
            assert server.ask("POST", "/predict", drawn("7"))[0] == 200
        counted = b'cnn_mnist_requests_total{route="/predict",status="200"} 20.0'
        # a request is counted once its answer has gone out
        assert any(counted in server.ask("GET", "/metrics")[2] for _ in range(1000))
        subprocess.run(["kill", "-9", str(workers[0])], check=True)
        time.sleep(3)
        for _ in range(10):
            assert server.ask("POST", "/predict", drawn("7"))[0] == 200
        assert server.end() == 0


def worker_pids(server: Server) -> list[int]:
    """Return the process numbers of a server's workers."""
    found = subprocess.run(
        ["pgrep", "-P", str(server.process.pid), "-f", "multiprocessing.spawn"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [int(pid) for pid in found.stdout.split()]


def test_the_requests_of_workers_that_died_are_no_longer_in_flight() -> None:
    with serving("--workers", 2) as server, ExitStack() as stack:
        for _ in range(8):
            client = stack.enter_context(server.socket())
            client.sendall(b"POST /predict HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
        in_flight = "cnn_mnist_requests_in_flight %d.0\n"
        until = time.monotonic() + 120
        while (in_flight % 9).encode() not in server.ask("GET", "/metrics")[2]:
            assert time.monotonic() < until
        for pid in worker_pids(server):
            os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + 60
        while True:
            with suppress(OSError):
                if (in_flight % 1).encode() in server.ask("GET", "/metrics")[2]:
                    break
            assert time.monotonic() < until
            time.sleep(0.1)


# what the event loop of Windows lacks; sending signal 0 there is Ctrl-C
WINDOWS = """
import asyncio, os
def refused(*_, **__):
    raise NotImplementedError
asyncio.SelectorEventLoop.add_signal_handler = refused
asyncio.SelectorEventLoop.remove_signal_handler = refused
kill = os.kill
os.kill = lambda pid, number: kill(pid, number) if number else refused()
sys.modules["uvloop"] = None
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_runs_and_ends_where_the_loop_handles_no_signals_as_on_windows(
    number: signal.Signals,
) -> None:
    with serving(before=WINDOWS) as server:
        assert server.ask("POST", "/predict", drawn("7"))[0] == 200
        server.process.send_signal(number)
        until = time.monotonic() + 120
        while server.ask("GET", "/v2/health/ready")[0] != 503:  # it drains first
            assert time.monotonic() < until
        assert server.process.wait(40) == (130 if number == signal.SIGINT else 0)


def test_drain_s_is_the_time_between_sigterm_and_the_end_of_listening() -> None:
    with serving("--drain-s", 0) as server:
        began = time.monotonic()
        assert server.end() == 0
        at_once_s = time.monotonic() - began
    with serving("--drain-s", 1000) as server:
        server.process.send_signal(signal.SIGTERM)
        time.sleep(at_once_s + 1)
        assert server.ask("GET", "/v2/health/ready")[0] == 503
        assert server.end() == 0  # the second signal ends the waiting


@pytest.mark.parametrize("value", ["-1", "x", "nan"])
def test_a_drain_s_that_is_not_a_time_is_a_wrong_option(value: str) -> None:
    result = CliRunner().invoke(cli, ["serve", "--drain-s", value])
    assert result.exit_code == 2
    assert "--drain-s" in result.stderr


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
