"""Limit what one client may send, how slowly, and how many clients are connected.

uvicorn's protocol class has no limit on the time in which a request must arrive, on the size of
its headers, on pipelined requests, on clients that do not read their responses, or on idle
connections, and it drops the response to a client that has closed its sending side. The subclass
here adds these limits, so that misbehaving clients cannot keep others out.
"""

import asyncio
from collections import deque
from functools import cache
from typing import Any, Final

import orjson

# This module is not part of uvicorn's public interface, and the subclass below overrides its
# methods and reads its attributes, so pyproject.toml pins uvicorn's minor version. Before raising
# the pin, compare httptools_impl.py and run tests/serve/test_connection.py.
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

REQUEST_TIMEOUT_S: Final = 20.0
"""From the first byte of a request to its last, if its body arrives at less than
`MIN_BYTES_PER_S`; also the longest pause within a body, and from the connection to the first byte.
"""
MIN_BYTES_PER_S: Final = 16 << 10
"""The rate of a body, in bytes per second, that keeps moving its deadline."""
KEEP_ALIVE_TIMEOUT_S: Final = 75
"""Between two requests; longer than load balancers allow, so that they close first, not we."""
SEND_TIMEOUT_S: Final = 20.0
"""For the client to read responses, once the kernel's buffers are full."""
MAX_HEADER_BYTES: Final = 32 << 10
MAX_PIPELINED: Final = 16
"""Requests that a client may send before the first of them is answered."""
MAX_CONNECTIONS: Final = 4096
RESERVED_FILES: Final = 64
"""File descriptors that are kept free for everything else."""


@cache
def max_connections() -> int:
    """Return how many connections this process keeps open at the same time."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows, where sockets are not file descriptors
        return MAX_CONNECTIONS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(8, min(MAX_CONNECTIONS, files - RESERVED_FILES))


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP protocol with the limits above."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._receiving = False  # a request has begun to arrive and is not complete
        self._in_headers = True
        self._header_bytes = 0  # since the last byte of a body: also of trailers, around chunks
        self._deadline_s = 0.0
        self._unanswered: deque[RequestResponseCycle] = deque()  # in order of arrival
        self._last_received_s = self.loop.time()
        self._request_timer: asyncio.TimerHandle | None = None
        self._send_timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether no request of this connection waits for its response."""
        cycle: RequestResponseCycle | None = self.cycle  # None at first, against its annotation
        return cycle is None or cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Handle a new connection; with too many of them, close the one idle for longest."""
        super().connection_made(transport)
        self._start_request_timer()
        if len(self.connections) > max_connections():
            idle = [c for c in self.connections if isinstance(c, Connection) and c.idle]
            min(idle, key=lambda connection: connection._last_received_s).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle the end of the connection."""
        super().connection_lost(exc)
        for cycle in self._unanswered:  # uvicorn marks the last one only, not the one being sent
            cycle.disconnected = True
        for timer in (self._request_timer, self._send_timer):
            if timer:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse bytes of a request, and refuse headers that are too large."""
        self._last_received_s = self.loop.time()
        if not self._receiving:
            self._receiving = True
            self._start_request_timer()
        self._header_bytes += len(data)
        super().data_received(data)
        closing = self.transport.is_closing()
        if self._receiving and not closing and self._header_bytes > MAX_HEADER_BYTES:
            self._refuse(431, f"the headers are larger than {MAX_HEADER_BYTES:,} bytes")

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep a half-closed connection open until a complete request has its response."""
        if self._receiving or self.idle:
            return False
        self.cycle.keep_alive = False
        return True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; drop the trailers of a body in chunks."""
        if self._in_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Limit pipelined requests; start or queue this one."""
        while self._unanswered and self._unanswered[0].response_complete:
            self._unanswered.popleft()
        if len(self._unanswered) >= MAX_PIPELINED:
            raise ValueError("too many requests")  # the parser then calls `send_400_response`
        self._in_headers, self._header_bytes = False, 0
        super().on_headers_complete()
        self._unanswered.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        """Keep a part of a body, and move the request's deadline by what has arrived."""
        self._header_bytes = 0
        latest_s = self.loop.time() + REQUEST_TIMEOUT_S
        self._deadline_s = min(self._deadline_s + len(body) / MIN_BYTES_PER_S, latest_s)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop the request's timer."""
        self._receiving, self._in_headers, self._header_bytes = False, True, 0
        if self._request_timer:
            self._request_timer.cancel()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Give a client that does not read its responses a limited time."""
        super().pause_writing()
        self._send_timer = self.loop.call_later(SEND_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop that timer: the client reads again."""
        super().resume_writing()
        if self._send_timer:
            self._send_timer.cancel()

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are not HTTP; the requests before them are still answered."""
        if self._in_headers and not self.idle:
            self.cycle.keep_alive = False
        else:
            self._refuse(400, "this is not an HTTP request")

    def _start_request_timer(self) -> None:
        self._deadline_s = self.loop.time() + REQUEST_TIMEOUT_S
        self._wait_for_deadline()

    def _wait_for_deadline(self) -> None:
        if self._request_timer:
            self._request_timer.cancel()
        self._request_timer = self.loop.call_at(self._deadline_s, self._time_out)

    def _time_out(self) -> None:
        if self.flow.read_paused:  # we do not read, so the client cannot send
            self._start_request_timer()
        elif self.loop.time() < self._deadline_s:
            self._wait_for_deadline()
        elif self._receiving:
            self._refuse(408, "the request arrived too slowly")
        else:
            self.transport.close()

    def _refuse(self, status: int, error: str) -> None:
        """Send an error without calling the application, and close."""
        body = orjson.dumps({"error": error})
        head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        end = b"connection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head.encode("ascii") + end + body)
        self.transport.close()
