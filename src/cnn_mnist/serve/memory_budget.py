"""Bound what all requests together hold in memory: bytes of bodies, and pixels being decoded."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from cnn_mnist.errors import BusyError

_KEY: Final = "cnn_mnist.body"


class Share:
    """The bytes of one request's body, as a part of the bytes of all; from `BoundedBodies`."""

    def __init__(self, all_: "BoundedBodies") -> None:
        self._all = all_
        self._size_bytes = 0

    @classmethod
    def of(cls, scope: Scope) -> "Share":
        """Return the share of the request with this ASGI scope."""
        share = scope[_KEY]
        assert isinstance(share, cls)
        return share

    def add(self, size_bytes: int) -> None:
        """Count bytes that have arrived.

        Raises:
            BusyError: with them, all bodies together are larger than the limit.
        """
        if self._all.held_bytes + size_bytes > self._all.limit_bytes:
            raise BusyError("busy: too many bodies are being received; try again")
        self._all.held_bytes += size_bytes
        self._size_bytes += size_bytes

    def clear(self) -> None:
        """Count the bytes no longer: they are freed."""
        self._all.held_bytes -= self._size_bytes
        self._size_bytes = 0


class BoundedBodies:
    """ASGI middleware that bounds the bytes of all bodies, until their requests are answered.

    Only bytes that have arrived count, so clients that announce much and send little take nothing
    from others.

    Args:
        app: the application; it counts what it keeps of a body by `Share.of(scope).add`.
        limit_bytes: of all bodies together.
    """

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app = app
        self.limit_bytes = limit_bytes
        self.held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI call; its share ends with it, also if its client disconnects."""
        scope[_KEY] = share = Share(self)
        try:
            await self._app(scope, receive, send)
        finally:
            share.clear()


class PixelBudget:
    """Bounds the pixels of the pictures that threads decode at the same time.

    Args:
        limit: width times height, summed; a larger picture counts as this many.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._turn = threading.Lock()  # the one who waits for room is next: small ones cannot pass
        self._room = threading.Condition()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Wait until so many pixels may be decoded; free them at the end of the block."""
        pixels = min(pixels, self._limit)
        with self._turn, self._room:
            self._room.wait_for(lambda: self._used + pixels <= self._limit)
            self._used += pixels
        try:
            yield
        finally:
            with self._room:
                self._used -= pixels
                self._room.notify()
