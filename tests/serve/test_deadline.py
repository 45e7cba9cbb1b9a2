"""Test the deadline of a request, with a clock that the test sets."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from cnn_mnist.serve.connection import Connection

HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n"


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time only the test moves."""

    now_s = 1000.0

    def time(self) -> float:
        return self.now_s

    async def wait(self, seconds: float) -> None:
        self.now_s += seconds
        for _ in range(6):
            await asyncio.sleep(0)


class Transport(asyncio.Transport):
    """Keeps what is written to the client."""

    def __init__(self) -> None:
        super().__init__()
        self.sent, self.closed = b"", False

    def write(self, data: Any) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def app(_: Scope, receive: Receive, send: Send) -> None:
    """Read the whole body, and answer 204."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


Test = Callable[[Clock, Connection, Transport], Coroutine[Any, Any, None]]


def run(test: Test) -> None:
    loop, transport = Clock(), Transport()
    config = uvicorn.Config(app, http=Connection, log_config=None)
    config.load()

    async def work() -> None:
        connection = Connection(config, ServerState(), {}, loop)
        connection.connection_made(transport)
        await test(loop, connection, transport)
        connection.connection_lost(None)
        await loop.wait(0)

    try:
        loop.run_until_complete(work())
    finally:
        loop.close()


def send_body(bytes_per_s: int, step_s: float, steps: int) -> tuple[float, bytes]:
    """Send a body of 10 MB at a rate; return the seconds until the answer, and the answer."""
    found: list[tuple[float, bytes]] = []

    async def test(clock: Clock, connection: Connection, transport: Transport) -> None:
        began_s = clock.now_s
        connection.data_received(HEAD)
        left = 10_000_000
        for _ in range(steps):
            await clock.wait(step_s)
            if transport.sent or not left:
                break
            part = min(left, int(bytes_per_s * step_s))
            connection.data_received(bytes(part))
            left -= part
        found.append((clock.now_s - began_s, transport.sent))

    run(test)
    return found[0]


def test_10_mb_at_a_steady_3_2_mbit_per_s_are_received() -> None:
    seconds, sent = send_body(400_000, 0.5, 100)
    assert sent.startswith(b"HTTP/1.1 204 ")
    assert seconds > 24


def test_10_mb_at_a_slow_mobile_network_s_rate_are_received() -> None:
    seconds, sent = send_body(20_000, 1.0, 1000)
    assert sent.startswith(b"HTTP/1.1 204 ")
    assert seconds > 400


@pytest.mark.parametrize("rate", [1, 100, 1000])
def test_a_body_that_drips_is_408(rate: int) -> None:
    seconds, sent = send_body(rate, 1.0, 1000)
    assert sent.startswith(b"HTTP/1.1 408 ")
    assert 20 <= seconds < 24


def test_a_body_that_comes_fast_and_then_stops_is_408_20_s_later() -> None:
    async def test(clock: Clock, connection: Connection, transport: Transport) -> None:
        connection.data_received(HEAD)
        for _ in range(90):
            connection.data_received(bytes(100_000))
            await clock.wait(0)
        await clock.wait(19.9)
        assert transport.sent == b""
        await clock.wait(0.2)
        assert transport.sent.startswith(b"HTTP/1.1 408 ")
        assert transport.closed

    run(test)


def test_headers_that_drip_are_408() -> None:
    async def test(clock: Clock, connection: Connection, transport: Transport) -> None:
        connection.data_received(b"GET / HTTP/1.1\r\n")
        for _ in range(19):
            await clock.wait(1)
            connection.data_received(b"X: " + b"1" * 1000 + b"\r\n")
        assert transport.sent == b""
        await clock.wait(1.1)
        assert transport.sent.startswith(b"HTTP/1.1 408 ")

    run(test)


@pytest.mark.parametrize(
    "piece", [b"1;" + b"x" * 500 + b"\r\na\r\n", b"1\r\na\r\n"], ids=["extensions", "tiny chunks"]
)
def test_chunks_that_are_mostly_not_body_do_not_move_the_deadline(piece: bytes) -> None:
    async def test(clock: Clock, connection: Connection, transport: Transport) -> None:
        connection.data_received(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(21):
            connection.data_received(piece * 20)
            await clock.wait(1)
        assert transport.sent.startswith(b"HTTP/1.1 408 ")

    run(test)


def test_trailers_without_end_are_431_and_are_not_kept() -> None:
    async def test(_: Clock, connection: Connection, transport: Transport) -> None:
        connection.data_received(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
        for _ in range(40):
            if not transport.closed:
                connection.data_received(b"X: " + b"1" * 1000 + b"\r\n")
        assert transport.sent.startswith(b"HTTP/1.1 431 ")
        assert connection.headers == [(b"transfer-encoding", b"chunked")]

    run(test)
