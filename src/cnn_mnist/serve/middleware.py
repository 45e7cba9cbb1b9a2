"""What every request passes: its id, the token, the headers of its answer, the log, the figures."""

import re
import secrets
import time
from collections.abc import Iterable
from typing import Any, Final

import orjson
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cnn_mnist.serve.log import ACCESS, SERVE
from cnn_mnist.serve.metrics import Metrics

REQUEST_ID: Final = "x-request-id"
OPEN: Final = frozenset({"/", "/style.css", "/page.js", "/v2/health/live", "/v2/health/ready"})
"""What needs no token: the page itself, which has no secrets, and what load balancers ask."""

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


class Gate:
    """Stands before an application.

    Args:
        app: the application.
        metrics: told of every request.
        token: what clients must send, except for `OPEN`; None: nothing.
        draining: asked whether the server is about to stop.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, token: str | None, draining: Any) -> None:
        self._app, self._metrics, self._draining = app, metrics, draining
        self._bearer = token and f"Bearer {token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        passage = _Passage(scope, send, closing=self._draining())
        self._metrics.began()
        try:
            if self._admits(scope["path"], passage.headers):
                inner = scope if scope["method"] != "HEAD" else {**scope, "method": "GET"}
                await self._app(inner, receive, passage.send)
                passage.route = getattr(inner.get("route"), "path", passage.route)
            else:
                await passage.refuse(
                    401,
                    "this server wants a token: send Authorization: Bearer TOKEN",
                    [(b"www-authenticate", b"Bearer"), (b"connection", b"close")],
                )
        except Exception:
            SERVE.exception("request %s failed", passage.id)
            if not passage.status:
                await passage.refuse(500, "the server has failed; its log says why")
        finally:
            seconds = time.perf_counter() - passage.began
            self._metrics.ended(passage.route, passage.status, seconds)
            ACCESS.info("", passage.line(seconds))

    def _admits(self, path: str, headers: Headers) -> bool:
        if self._bearer is None or path in OPEN:
            return True
        given = headers.get("authorization", "")
        return secrets.compare_digest(given.encode(), self._bearer.encode())


class _Passage:
    """One request on its way through the gate."""

    def __init__(self, scope: Scope, send: Send, *, closing: bool) -> None:
        self.began = time.perf_counter()
        self.headers = Headers(scope=scope)
        given = self.headers.get(REQUEST_ID, "")
        self.id = given if _ID.fullmatch(given) else secrets.token_hex(16)
        self.route, self.status, self.size = "other", 0, 0
        self._scope, self._send = scope, send
        self._own = [*_HEADERS, (REQUEST_ID.encode("ascii"), self.id.encode("ascii"))]
        if closing:  # the client comes again on a new connection, to a server that stays
            self._own.append((b"connection", b"close"))

    async def send(self, message: Message) -> None:
        """To the client; an answer gets the gate's headers."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self._own]
        else:
            self.size += len(message.get("body", b""))
        await self._send(message)

    async def refuse(
        self, status: int, error: str, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        """Answer with an error of the gate's own."""
        body = orjson.dumps({"error": error})
        fields = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode("ascii")),
            *headers,
        ]
        await self.send({"type": "http.response.start", "status": status, "headers": fields})
        await self.send({"type": "http.response.body", "body": body})

    def line(self, seconds: float) -> dict[str, Any]:
        """For the access log."""
        return {
            "client": (self._scope.get("client") or ["?"])[0],
            "method": self._scope["method"],
            "path": self._scope["path"][:256],
            "status": self.status,
            "seconds": round(seconds, 6),
            "bytes": self.size,
            "request_id": self.id,
        }
