"""Generate HTTP load from one process: a closed loop, or an open one at a fixed rate.

    python benchmarks/load.py http://127.0.0.1:8000/predict BODY.json --connections 32 --seconds 10
    python benchmarks/load.py http://127.0.0.1:8000/predict BODY.json --rate 500 --seconds 10

Closed loop: each connection sends its next request after the last answer. Open loop: requests are
due at fixed times, whatever the server does, and latencies count from the time at which a request
was due, not from the time at which it was sent. So a stall of the server counts for all requests
that were due during it (correction of coordinated omission). All requests are the same bytes, built
once, and answers are only counted, so that the generator takes little processor time from the
server that it measures. `--requests` ends a closed loop after a number of requests instead of a
time. The last line of standard output is one JSON object.
"""

import argparse
import asyncio
import json
import re
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

TIMEOUT_S = 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Connection(asyncio.Protocol):
    """A keep-alive connection that carries one request at a time."""

    def __init__(self) -> None:
        self.closed = False
        self._received = bytearray()
        self._end = 0
        self._status: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the transport."""
        self._transport = transport

    def send(self, request: bytes) -> "asyncio.Future[int]":
        """Send a request and return the status of its answer as a future."""
        self._received.clear()
        self._end = 0
        self._status = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._status

    def data_received(self, data: bytes) -> None:
        """Take in a part of the answer; set the status once the answer is complete."""
        self._received += data
        if not self._end:
            head = self._received.find(b"\r\n\r\n")
            if head < 0:
                return
            self.closed = b"\r\nconnection: close" in self._received[:head].lower()
            length = _LENGTH.search(self._received, 0, head)
            self._end = head + 4 + (int(length[1]) if length else 0)
        if len(self._received) >= self._end and self._status and not self._status.done():
            self._status.set_result(int(self._received[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the request that has no answer yet."""
        self.closed = True
        if self._status and not self._status.done():
            self._status.set_exception(ConnectionError("the server closed the connection"))


class Load:
    """The load on one URL, and its latencies and failures.

    Args:
        url: where requests are posted to.
        body: the JSON body of every request.
    """

    def __init__(self, url: str, body: bytes) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        lines = [f"POST {path} HTTP/1.1", f"Host: {parts.netloc}", "Content-Type: application/json"]
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
        self._request = head.encode() + body
        self.latencies_s: list[float] = []
        self.failures: Counter[str] = Counter()

    async def closed_loop(self, connections: int, more: Callable[[], bool]) -> None:
        """Send requests for as long as `more()` says so, each after the last answer."""

        async def send_all() -> None:
            connection = await self._connect()
            while more():
                connection = await self._send(connection, time.perf_counter())

        await asyncio.gather(*(send_all() for _ in range(connections)))

    async def open_loop(self, connections: int, rate: float, seconds: float) -> None:
        """Send `rate` requests a second; a free connection takes the next one that is due."""
        began = time.perf_counter()
        due = iter(began + number / rate for number in range(round(rate * seconds)))

        async def send_all() -> None:
            connection = await self._connect()
            for due_s in due:
                await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
                connection = await self._send(connection, due_s)

        await asyncio.gather(*(send_all() for _ in range(connections)))

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, self._host, self._port)
        return connection

    async def _send(self, connection: Connection, due_s: float) -> Connection:
        """Send one request and record the result; return the connection for the next one."""
        try:
            connection = await self._connect() if connection.closed else connection
            status = await asyncio.wait_for(connection.send(self._request), TIMEOUT_S)
        except (OSError, asyncio.TimeoutError) as error:
            self.failures[type(error).__name__] += 1
            connection.closed = True
            await asyncio.sleep(0.1)  # do not flood a server that has gone
            return connection
        if status == 200:
            self.latencies_s.append(time.perf_counter() - due_s)
        else:
            self.failures[str(status)] += 1
        return connection


def summary(load: Load, seconds: float) -> dict[str, Any]:
    """Return counts, rate and latencies of a load that took `seconds`."""
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
    """Wait for some work and return how many seconds it took."""
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Generate the load that the command line asks for and return its summary."""
    load = Load(arguments.url, arguments.body.read_bytes())
    if arguments.rate:
        work = load.open_loop(arguments.connections, arguments.rate, arguments.seconds)
    elif arguments.requests:
        left = iter(range(arguments.requests))
        work = load.closed_loop(arguments.connections, lambda: next(left, None) is not None)
    else:
        end = time.perf_counter() + arguments.seconds
        work = load.closed_loop(arguments.connections, lambda: time.perf_counter() < end)
    return summary(load, await timed(work))


def main() -> None:
    """Generate the load and print its summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("body", type=Path, help="file with the JSON body of every request")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--requests", type=int, help="end a closed loop after so many requests")
    parser.add_argument("--rate", type=float, help="requests per second: an open loop")
    print(json.dumps(uvloop.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
