"""Handle what all requests share: request id, token, CORS, headers, access log, metrics."""

import re
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cnn_mnist.serve.cors import Cors
from cnn_mnist.serve.log import ACCESS, SERVE
from cnn_mnist.serve.metrics import Metrics

REQUEST_ID: Final = "x-request-id"
PUBLIC_PATHS: Final = frozenset(
    {"/", "/docs", "/docs.js", "/style.css", "/page.js", "/v2/health/live", "/v2/health/ready"}
)
"""Paths that need no token: the pages, which hold no secrets, and the health checks."""

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", _POLICY.encode("ascii")),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-cache"),
)


class Middleware:
    """Wraps an ASGI application.

    Args:
        app: the application.
        metrics: counts every request.
        token: what clients must send, except for `PUBLIC_PATHS`; None: nothing.
        cors: tells which pages of other origins may call.
        draining: returns whether the server is about to stop.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        token: str | None,
        cors: Cors,
        draining: Callable[[], bool],
    ) -> None:
        self._app, self._metrics, self._draining = app, metrics, draining
        self._token, self._cors = token, cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _RequestContext(scope, send, self._cors, closing=self._draining())
        self._metrics.request_started()
        try:
            preflight = self._cors.preflight(scope["method"], request.headers)
            if preflight is not None:
                await request.send_whole(204, preflight)
            elif self._authorized(scope["path"], request.headers):
                inner = scope if scope["method"] != "HEAD" else {**scope, "method": "GET"}
                await self._app(inner, receive, request.send)
                request.route = getattr(inner.get("route"), "path", request.route)
            else:
                await request.send_error(
                    401,
                    "this server requires a token: send Authorization: Bearer TOKEN",
                    [(b"www-authenticate", b"Bearer"), (b"connection", b"close")],
                )
        except Exception:
            SERVE.exception("request %s failed", request.id)
            if not request.status:
                await request.send_error(500, "internal server error: see the server's log")
        finally:
            seconds = time.perf_counter() - request.started_s
            self._metrics.request_finished(request.route, request.status, seconds)
            ACCESS.info("", request.log_fields(seconds))

    def _authorized(self, path: str, headers: Headers) -> bool:
        if self._token is None or path in PUBLIC_PATHS:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        right = secrets.compare_digest(given.strip().encode(), self._token.encode())
        return scheme.lower() == "bearer" and right


class _RequestContext:
    """One request: its id, and what the access log records of its response."""

    def __init__(self, scope: Scope, send: Send, cors: Cors, *, closing: bool) -> None:
        self.started_s = time.perf_counter()
        self.headers = Headers(scope=scope)
        given = self.headers.get(REQUEST_ID, "")
        self.id = given if _ID.fullmatch(given) else secrets.token_hex(16)
        self.route, self.status, self.size_bytes = "other", 0, 0
        self._scope, self._send = scope, send
        own = (REQUEST_ID.encode("ascii"), self.id.encode("ascii"))
        self._added = [*_HEADERS, own, *cors.headers(self.headers)]
        if closing:  # the client's next request opens a connection, to a server that stays
            self._added.append((b"connection", b"close"))

    async def send(self, message: Message) -> None:
        """Send an ASGI message to the client; a response gets the headers that all have."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self._added]
        else:
            self.size_bytes += len(message.get("body", b""))
        await self._send(message)

    async def send_error(
        self, status: int, error: str, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        """Send an error response."""
        body = orjson.dumps({"error": error})
        fields = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode("ascii")),
            *headers,
        ]
        await self.send_whole(status, fields, body)

    async def send_whole(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes = b""
    ) -> None:
        """Send a response without calling the application."""
        await self.send({"type": "http.response.start", "status": status, "headers": [*headers]})
        await self.send({"type": "http.response.body", "body": body})

    def log_fields(self, seconds: float) -> dict[str, Any]:
        """Return the fields of the request's line in the access log."""
        return {
            "client": (self._scope.get("client") or ["?"])[0],
            "method": self._scope["method"],
            "path": self._scope["path"][:256],
            "status": self.status,
            "seconds": round(seconds, 6),
            "bytes": self.size_bytes,
            "request_id": self.id,
        }
