"""Ask a server for its health over and over from a process of its own, and keep the times."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection

PERIOD_S = 0.02
SLOW_S = 0.2
"""Health must be answered within this time."""


@dataclass
class Health:
    """What was seen; filled in when the block of `watched` has ended."""

    answers: int = 0
    slow: int = 0
    slowest_s: float = 0.0


@contextmanager
def watched(port: int) -> Iterator[Health]:
    """Ask throughout the block."""
    health = Health()
    here, there = Pipe()
    process = get_context("spawn").Process(target=_ask, args=(port, there))
    process.start()
    try:
        yield health
    finally:
        here.send("end")
        health.answers, health.slow, health.slowest_s = here.recv()
        process.join()


def _ask(port: int, pipe: Connection) -> None:
    times_s: list[float] = []
    while not pipe.poll(PERIOD_S):
        client = HTTPConnection("127.0.0.1", port, timeout=60)
        began = time.perf_counter()
        client.request("GET", "/v2/health/live")
        assert client.getresponse().read() == b'{"live":true}'
        times_s.append(time.perf_counter() - began)
        client.close()
    pipe.send((len(times_s), sum(t > SLOW_S for t in times_s), max(times_s, default=0.0)))
