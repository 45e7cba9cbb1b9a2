"""Test the limits of a connection: misbehaving clients are closed and harm no others."""

import json
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection

import pytest
from serving import BODY, INFER, SLOW, Server, drawn, serving

IMPATIENT = """
from cnn_mnist.serve import connection
connection.REQUEST_TIMEOUT_S = 1.0
"""
SEND_TIMEOUT = """
from cnn_mnist.serve import connection
connection.SEND_TIMEOUT_S = 3.0
"""
IN_FLIGHT = "cnn_mnist_requests_in_flight "


@pytest.fixture(scope="module")
def impatient() -> Iterator[Server]:
    """A server that waits one second for a request."""
    with serving(before=IMPATIENT) as running:
        yield running


@pytest.fixture(scope="module")
def slow() -> Iterator[Server]:
    """A server whose model takes half a second, and that waits 3 s for a client to read."""
    with serving(before=SLOW + SEND_TIMEOUT) as running:
        yield running


def answer(server: Server, *sent: bytes, half_closed: bool = False) -> bytes:
    """Send the parts; return all that is received until the server closes the connection."""
    with server.socket() as client:
        for part in sent:
            client.sendall(part)
        if half_closed:
            client.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while part := client.recv(1 << 16):
                received += part
        except ConnectionResetError:  # it had not read all that was sent
            pass
        return received


def head(path: str, length: int, *fields: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {length}", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Sl", b" 408 "),
        (b"G", b" 408 "),
        (head("/predict", 1000) + b"only this", b" 408 "),
        (b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b" 408 "),
        (b"", b""),
    ],
    ids=["headers", "a byte", "a body shorter than its length", "chunks", "nothing"],
)
def test_a_request_that_does_not_arrive_in_time_is_closed(
    impatient: Server, sent: bytes, status: bytes
) -> None:
    began = time.monotonic()
    received = answer(impatient, sent)
    assert time.monotonic() - began < 10
    assert status in received[:20]
    assert impatient.ask("GET", "/v2/health/live")[0] == 200


def test_a_client_that_sends_slowly_is_closed(impatient: Server) -> None:
    began = time.monotonic()
    with impatient.socket() as client, suppress(BrokenPipeError, ConnectionResetError):
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        while time.monotonic() - began < 10:
            client.sendall(b"X-More: 1\r\n")
            time.sleep(0.05)
    assert time.monotonic() - began < 10


def test_a_connection_stays_open_between_requests(impatient: Server) -> None:
    connection = HTTPConnection("127.0.0.1", impatient.port, timeout=120)
    for pause_s in (1.5, 0):  # longer than a request may take
        connection.request("GET", "/v2/health/live")
        assert connection.getresponse().read()
        time.sleep(pause_s)
    connection.close()


def test_a_client_that_disconnects_within_a_request_causes_no_error(impatient: Server) -> None:
    with impatient.socket() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHo")
    time.sleep(1.5)  # until its time would be over
    assert not [line for line in impatient.log if "text" in line or line.get("level") == "error"]


def in_flight(server: Server) -> int:
    """Return how many requests of other clients are being answered."""
    metrics = server.ask("GET", "/metrics")[2].decode()
    (line,) = [line for line in metrics.splitlines() if line.startswith(IN_FLIGHT)]
    return int(float(line.removeprefix(IN_FLIGHT))) - 1


def wait_for(number: int, server: Server) -> None:
    """Wait until so many requests are in flight."""
    until = time.monotonic() + 120
    while in_flight(server) != number:
        assert time.monotonic() < until
        time.sleep(0.02)


def stall(client: socket.socket, server: Server) -> None:
    """Send requests without reading, until the server waits for the client to read."""
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else requests arrive together
    until = time.monotonic() + 120
    while in_flight(server) != 1 or in_flight(server) != 1:  # twice: not for a moment only
        assert time.monotonic() < until
        client.sendall(b"GET /page.js HTTP/1.1\r\nHost: x\r\n\r\n")


def test_a_client_that_reads_no_responses_is_closed_and_one_that_reads_late_is_not(
    slow: Server,
) -> None:
    with slow.socket() as late, slow.socket() as silent:
        stall(late, slow)
        late.settimeout(0.5)
        with suppress(TimeoutError):
            while late.recv(1 << 20):
                pass
        stall(silent, slow)
        wait_for(0, slow)  # the server has closed the silent one, so the other's time is over too
        late.settimeout(30)
        late.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in late.recv(1 << 16)[:20]
    assert not [line for line in slow.log if line.get("level") == "error"]


def test_a_client_that_disconnects_before_its_responses_causes_no_error(slow: Server) -> None:
    with slow.socket() as client:
        client.sendall((head(INFER, len(BODY)) + BODY) * 2)
        wait_for(1, slow)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_for(0, slow)
    assert not [line for line in slow.log if line.get("level") == "error"]


def test_pipelined_requests_are_answered_in_order_up_to_a_limit(impatient: Server) -> None:
    request = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /v2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    received = answer(impatient, request * 5 + last)
    assert received.count(b"HTTP/1.1 200 ") == 6
    assert b"extensions" in received.splitlines()[-1]
    assert answer(impatient, request * 1000).count(b"HTTP/1.1 200 ") == 16


def test_a_half_closed_client_gets_its_response(impatient: Server) -> None:
    received = answer(impatient, head(INFER, len(BODY)), BODY, half_closed=True)
    assert b" 200 " in received[:20]
    assert b"probabilities" in received
    assert answer(impatient, b"GET / HTTP/1.1\r\nHo", half_closed=True) == b""


def test_a_body_longer_than_its_length_closes_the_connection_after_the_response(
    impatient: Server,
) -> None:
    received = answer(impatient, head("/predict", 1), b"xGARBAGE \x00\r\n\r\n")
    assert b" 415 " in received[:20]
    assert received.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (head("/predict", 10**15), b" 413 "),
        (head("/predict", 17 << 20, "Expect: 100-continue"), b" 413 "),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b" 400 "),
        (b"POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", b" 400 "),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b" 400 "),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 40 + b"\r\n\r\n", b" 400 "),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 300_000 + b"\r\n\r\n", b" 431 "),
        (b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\n\r\n", b" 431 "),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b" 400 "),
        (b"hello\r\n\r\n", b" 400 "),
        (b"\x16" * 300_000, b" 400 "),
    ],
)  # fmt: skip
def test_wrong_and_oversized_heads_are_refused_at_once(
    impatient: Server, sent: bytes, status: bytes
) -> None:
    received = answer(impatient, sent)
    assert status in received[:20]
    assert json.loads(received.partition(b"\r\n\r\n")[2])["error"]


def test_chunks_beyond_the_limit_are_413(impatient: Server) -> None:
    start = b"POST /v2/models/cnn-mnist/infer HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    received = answer(impatient, start, *[chunk] * 5, b"0\r\n\r\n")
    assert b" 413 " in received[:20]


def test_more_idle_connections_than_descriptors_keep_no_active_client_out() -> None:
    few = "resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))"
    with serving(before=few) as server:
        regular = HTTPConnection("127.0.0.1", server.port, timeout=120)
        idle = []
        try:
            for number in range(300):
                if number % 30 == 0:  # never idle for longest
                    server.ask("GET", "/v2/health/live")  # all before it have been accepted
                    regular.request("GET", "/v2/health/live")
                    assert regular.getresponse().read()
                idle.append(server.socket())
            for _ in range(3):
                assert server.ask("GET", "/v2/health/live")[0] == 200
                assert server.ask("POST", "/predict", drawn("1"))[0] == 200
        finally:
            for client in (regular, *idle):
                client.close()
