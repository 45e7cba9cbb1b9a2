"""Test the bounds on what all requests together hold: bytes of bodies, and pixels."""

import asyncio
import select
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from http.client import HTTPResponse
from typing import Any

import pytest
from serving import Server, drawn, serving
from starlette.types import Receive, Scope, Send

from cnn_mnist.errors import BusyError
from cnn_mnist.serve import service as service_module
from cnn_mnist.serve.memory_budget import BoundedBodies, PixelBudget, Share
from cnn_mnist.serve.service import Service
from cnn_mnist.serve.settings import Settings

SMALL = """
from cnn_mnist.serve.settings import Settings
Settings.__init__.__kwdefaults__.update(max_bodies_bytes=1_000_000)
"""


@pytest.fixture(scope="module")
def small() -> Iterator[Server]:
    """A server that holds at most a million bytes of bodies."""
    with serving(before=SMALL) as running:
        yield running


def unfinished(size: int) -> bytes:
    """Return a request that lacks the last byte of its body."""
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {size + 1}\r\n\r\n"
    return head.encode("ascii") + bytes(size)


def test_bodies_beyond_the_limit_of_all_together_are_503_until_others_end(small: Server) -> None:
    with small.socket() as first, small.socket() as second:
        first.sendall(unfinished(700_000))
        second.sendall(unfinished(700_000))
        (refused, *_), _, _ = select.select([first, second], [], [])
        kept = second if refused is first else first
        answer = HTTPResponse(refused)
        answer.begin()
        assert (answer.status, answer.getheader("retry-after")) == (503, "1")
        assert b"too many bodies" in answer.read()
        refused.sendall(b"x")  # its rest is read, and the connection still serves
        refused.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in refused.recv(1 << 16)[:20]
        kept.sendall(b"x")
        assert b" 415 " in kept.recv(1 << 16)[:20]
    for _ in range(3):
        assert small.ask("POST", "/predict", bytes(900_000))[0] == 415


def test_a_client_that_disconnects_within_its_body_frees_its_bytes(small: Server) -> None:
    for _ in range(3):
        with small.socket() as client:
            client.sendall(unfinished(900_000))
            time.sleep(0.1)
    until = time.monotonic() + 300
    while small.ask("POST", "/predict", bytes(900_000))[0] == 503:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_announced_bytes_that_do_not_arrive_take_no_room(small: Server) -> None:
    clients = [small.socket() for _ in range(20)]
    for client in clients:
        client.sendall(unfinished(900_000)[:200])
    assert small.ask("POST", "/predict", drawn("7"))[0] == 200
    for client in clients:
        client.close()


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
def test_a_request_s_share_ends_with_it(error: type[BaseException]) -> None:
    async def app(scope: Scope, _: Receive, __: Send) -> None:
        Share.of(scope).add(8)
        with pytest.raises(BusyError):
            Share.of(scope).add(3)
        raise error

    async def unused() -> Any:
        raise AssertionError

    bodies = BoundedBodies(app, 10)
    for _ in range(2):
        with pytest.raises(error):
            asyncio.run(bodies({"type": "http"}, unused, unused))
        assert bodies.held_bytes == 0


def header(width: int, height: int) -> bytes:
    """Return a PNG file that ends after its header."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    end = b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return b"\x89PNG\r\n\x1a\n\0\0\0\r" + chunk + struct.pack(">I", zlib.crc32(chunk)) + end


class Reads:
    """Stands in for the reading of pictures: records how many run at the same time."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self.lock, self.go = threading.Condition(), threading.Event()

    def __call__(self, *_: Any, **__: Any) -> Any:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.lock.notify_all()
        self.go.wait(30)
        with self.lock:
            self.running -= 1
        raise BusyError("read")


@pytest.mark.parametrize(
    ("pictures", "together"),
    [
        ([header(6000, 5000)] * 3, 1),
        ([header(7000, 7000), header(1000, 1000)], 2),
        ([header(1000, 1000)] * 4, 4),
        ([b"its size cannot be told"] * 2, 1),
    ],
)
def test_pictures_of_more_pixels_than_the_limit_are_not_read_at_the_same_time(
    monkeypatch: pytest.MonkeyPatch, pictures: list[bytes], together: int
) -> None:
    reads = Reads()
    monkeypatch.setattr(service_module, "read", reads)
    service = Service(Settings(threads=4))

    async def work() -> None:
        tasks = [asyncio.create_task(service.predict("-", picture, {})) for picture in pictures]
        await asyncio.to_thread(_wait_until_running, reads, together)
        reads.go.set()
        for task in tasks:
            with pytest.raises(BusyError, match="read"):
                await task

    asyncio.run(work())
    service.close()
    assert reads.most == together


def _wait_until_running(reads: Reads, count: int) -> None:
    with reads.lock:
        assert reads.lock.wait_for(lambda: reads.running >= count, 30)


def test_a_large_picture_waits_for_its_turn_and_is_not_passed_by_small_ones() -> None:
    budget, order = PixelBudget(10), list[int]()
    arrived = threading.Semaphore(0)

    def read(pixels: int) -> None:
        arrived.release()
        with budget.hold(pixels):
            order.append(pixels)

    with budget.hold(5):
        large = threading.Thread(target=read, args=(10,))
        large.start()
        arrived.acquire()
        while not budget._turn.locked():
            time.sleep(0.001)
        small = threading.Thread(target=read, args=(1,))
        small.start()
        arrived.acquire()
        assert order == []
    large.join(300)
    small.join(300)
    assert order == [10, 1]


def test_the_event_loop_goes_on_while_a_large_request_is_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go = threading.Event()
    monkeypatch.setattr("cnn_mnist.serve.protocol.parse", lambda *_: go.wait(30))
    service = Service(Settings(threads=1))

    async def work() -> None:
        task = asyncio.create_task(service.parse(bytes(1 << 20), None))
        await asyncio.sleep(0)
        go.set()  # by the loop, which a call of `parse` in it would stop for 30 s
        assert await task

    asyncio.run(work())
    service.close()
