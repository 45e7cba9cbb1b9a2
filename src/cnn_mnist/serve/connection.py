"""One client's connection: how slowly and how much it may send, and what makes room for it.

uvicorn's protocol has no limit on the time in which a request must arrive, on the size of its
headers, or on clients that read no answers; and it hangs up on a client that has closed its own
side. Here these are bounded, so that no number of bad clients keeps a good one out.
"""

import asyncio
from collections import deque
from functools import cache
from typing import Any, Final

import orjson
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

REQUEST_S: Final = 20.0
"""In which a whole request must arrive, from its first byte; also for the first byte to come."""
KEEP_ALIVE_S: Final = 75
"""Between two requests; longer than load balancers keep theirs, so that they hang up, not we."""
READ_S: Final = 20.0
"""In which a client must take what it is sent, once more than the kernel's buffers wait."""
LAST_S: Final = 0.5
"""For which a connection is still open when the server has stopped listening."""
MAX_HEADER_BYTES: Final = 32 << 10
MAX_PIPELINED: Final = 16
"""Requests that a client may send before the first of them is answered."""
MAX_CONNECTIONS: Final = 4096
RESERVED_FILES: Final = 64
"""File descriptors that are left for everything else."""


@cache
def max_connections() -> int:
    """Connections that this process keeps open at a time."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows, whose sockets are no file descriptors
        return MAX_CONNECTIONS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(8, min(MAX_CONNECTIONS, files - RESERVED_FILES))


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP protocol, bounded."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._arriving = False  # the first byte of a request is here, its last is not
        self._in_headers = True
        self._header_bytes = 0
        self._cycles: deque[RequestResponseCycle] = deque()  # sent, and not all answered yet
        self._used_s = self.loop.time()
        self._arrival: asyncio.TimerHandle | None = None
        self._departure: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """No request of it is being answered."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first, whatever it says
        return cycle is None or cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is here; if there are too many, the one that was idle longest goes."""
        super().connection_made(transport)
        self._expect_request()
        if len(self.connections) > max_connections():
            idle = [
                other for other in self.connections if isinstance(other, Connection) and other.idle
            ]
            min(idle, key=lambda other: other._used_s, default=self).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        super().connection_lost(exc)
        for cycle in self._cycles:  # uvicorn itself tells the last of them only
            cycle.disconnected = True
            cycle.message_event.set()
        self._cancel_timers()

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request are here."""
        self._used_s = self.loop.time()
        if not self._arriving:
            self._arriving = True
            self._expect_request()
        self._header_bytes += len(data) if self._in_headers else 0
        super().data_received(data)
        if self._in_headers and self._header_bytes > MAX_HEADER_BYTES:
            self._refuse(431, f"the headers are larger than {MAX_HEADER_BYTES:,} bytes")

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more; it still gets the answer to what it has sent."""
        if self._arriving or self.idle:
            return False
        self.cycle.keep_alive = False
        return True

    def on_headers_complete(self) -> None:
        """A request's headers are here."""
        while self._cycles and self._cycles[0].response_complete:
            self._cycles.popleft()
        if len(self._cycles) >= MAX_PIPELINED:
            raise ValueError("too many requests at once")  # the parser makes it `send_400_response`
        self._in_headers, self._header_bytes = False, 0
        super().on_headers_complete()
        self._cycles.append(self.cycle)

    def on_message_complete(self) -> None:
        """A whole request is here."""
        self._arriving, self._in_headers = False, True
        if self._arrival:
            self._arrival.cancel()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The client does not take what it is sent."""
        super().pause_writing()
        self._departure = self.loop.call_later(READ_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        if self._departure:
            self._departure.cancel()

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP; the request before it still gets its answer."""
        if self._in_headers and not self.idle:
            self.cycle.keep_alive = False
        else:
            self._refuse(400, "this is no HTTP request")

    def shutdown(self) -> None:
        """The server is stopping; a request that is on its way still gets its answer."""
        if self.idle:
            self.loop.call_later(LAST_S, self._end)
        else:
            self.cycle.keep_alive = False

    def _end(self) -> None:
        if self.idle and not self._arriving:
            self.transport.close()

    def _expect_request(self) -> None:
        if self._arrival:
            self._arrival.cancel()
        self._arrival = self.loop.call_later(REQUEST_S, self._too_slow)

    def _too_slow(self) -> None:
        if self._arriving:
            self._refuse(408, f"the request did not arrive within {REQUEST_S:.0f} seconds")
        else:
            self.transport.close()

    def _refuse(self, status: int, error: str) -> None:
        """Answer without the application, if nothing has been answered yet, and hang up."""
        if self.transport.is_closing():
            return
        if self.idle or not self.cycle.response_started:
            body = orjson.dumps({"error": error})
            head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
            end = b"connection: close\r\n\r\n"
            self.transport.write(STATUS_LINE[status] + head.encode("ascii") + end + body)
        self.transport.close()

    def _cancel_timers(self) -> None:
        for timer in (self._arrival, self._departure):
            if timer:
                timer.cancel()
