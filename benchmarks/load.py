"""A load of HTTP requests from one process: a closed loop, or an open one at a fixed rate.

    python benchmarks/load.py http://127.0.0.1:8000/predict BODY.json --connections 32 --seconds 10
    python benchmarks/load.py http://127.0.0.1:8000/predict BODY.json --rate 500 --seconds 10

Closed: each connection sends its next request when it has the answer to the last. Open: requests
are due at fixed times, whatever the server does, and latencies count from when a request was due,
not from when it was sent, so that a stall is felt by all that were due in it. Every request is the
same bytes, made once, and answers are only counted: the generator takes little from the server it
measures. The last line of standard output is one JSON object. `--requests` ends a closed loop at
a number instead of a time.
"""

import argparse
import asyncio
import json
import re
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.closed = False
        self._received = bytearray()
        self._end = 0
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The server is here."""
        self._transport = transport

    def ask(self, request: bytes) -> "asyncio.Future[int]":
        """The answer's status, to come."""
        self._received.clear()
        self._end = 0
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        """A part of the answer."""
        self._received += data
        if not self._end:
            head = self._received.find(b"\r\n\r\n")
            if head < 0:
                return
            self.closed = b"\r\nconnection: close" in self._received[:head].lower()
            length = _LENGTH.search(self._received, 0, head)
            self._end = head + 4 + (int(length[1]) if length else 0)
        if len(self._received) >= self._end and self._answer and not self._answer.done():
            self._answer.set_result(int(self._received[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        """The server has hung up."""
        self.closed = True
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionError("hung up"))


class Load:
    """What was asked, and what came of it."""

    def __init__(self, url: str, body: bytes, kind: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        lines = [f"POST {path} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Type: {kind}"]
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
        self._request = head.encode() + body
        self.latencies_s: list[float] = []
        self.failures: dict[str, int] = {}

    async def connect(self) -> Client:
        """A new connection."""
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(Client, self._host, self._port)
        return client

    async def ask(self, client: Client, due_s: float) -> Client:
        """One request; the connection to use for the next."""
        try:
            client = await self.connect() if client.closed else client
            status = await asyncio.wait_for(client.ask(self._request), 60)
        except (OSError, asyncio.TimeoutError) as error:
            self._failed(type(error).__name__)
            client.closed = True
            await asyncio.sleep(0.1)  # a server that has gone is not to be asked in a frenzy
            return client
        if status == 200:
            self.latencies_s.append(time.perf_counter() - due_s)
        else:
            self._failed(str(status))
        return client

    def _failed(self, why: str) -> None:
        self.failures[why] = self.failures.get(why, 0) + 1

    async def closed(self, connections: int, more: Callable[[], bool]) -> None:
        """Each connection's next request follows the last answer."""

        async def one() -> None:
            client = await self.connect()
            while more():
                client = await self.ask(client, time.perf_counter())

        await asyncio.gather(*(one() for _ in range(connections)))

    async def opened(self, connections: int, rate: float, seconds: float) -> None:
        """Requests are due at fixed times; a free connection takes the next that is due."""
        began = time.perf_counter()
        due = iter(began + number / rate for number in range(round(rate * seconds)))

        async def one() -> None:
            client = await self.connect()
            for due_s in due:
                await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
                client = await self.ask(client, due_s)

        await asyncio.gather(*(one() for _ in range(connections)))


def summary(load: Load, seconds: float) -> dict[str, Any]:
    """Rates and latencies."""
    latencies = load.latencies_s or [float("nan")]
    cuts = (
        statistics.quantiles(latencies, n=1000, method="inclusive")
        if len(latencies) > 1
        else latencies * 999
    )
    return {
        "answers": len(load.latencies_s),
        "failures": load.failures,
        "seconds": seconds,
        "per_s": len(load.latencies_s) / seconds,
        **{f"p{cut / 10:g}_ms": 1000 * cuts[cut - 1] for cut in (500, 950, 990, 999)},
        "max_ms": 1000 * max(latencies),
    }


async def timed(work: Awaitable[None]) -> float:
    """The seconds that it takes."""
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The load that was asked for."""
    load = Load(arguments.url, arguments.body.read_bytes(), arguments.kind)
    if arguments.rate:
        work = load.opened(arguments.connections, arguments.rate, arguments.seconds)
    elif arguments.requests:
        left = iter(range(arguments.requests))
        work = load.closed(arguments.connections, lambda: next(left, None) is not None)
    else:
        end = time.perf_counter() + arguments.seconds
        work = load.closed(arguments.connections, lambda: time.perf_counter() < end)
    return summary(load, await timed(work))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("body", type=Path, help="a file: the body of every request")
    parser.add_argument("--kind", default="application/json", help="the body's content type")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--requests", type=int, help="of a closed loop, instead of seconds")
    parser.add_argument("--rate", type=float, help="requests a second: an open loop")
    print(json.dumps(uvloop.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
