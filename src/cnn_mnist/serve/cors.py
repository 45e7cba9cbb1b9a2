"""Let pages of other origins call the server from a browser, where it was started to allow that.

Source: the Fetch standard, https://fetch.spec.whatwg.org/#http-cors-protocol. Cookies are not used,
so requests with credentials are not allowed; a token is an ordinary header, and still required.
"""

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers

_METHODS: Final = b"GET, HEAD, POST"
_READABLE: Final = b"X-Request-ID, Retry-After, Inference-Header-Content-Length"
"""Headers of a response that the page may read, beside those that it always may."""
_CACHED_S: Final = b"600"


class Cors:
    """The origins whose pages may call the server.

    Args:
        origins: such as `https://example.org`; `*` stands for all, and none is allowed if empty.
    """

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset(origins)

    def allows(self, request: Headers) -> bool:
        """Return whether a request comes from a page of an allowed origin."""
        return "origin" in request and not self._origins.isdisjoint({"*", request["origin"]})

    def headers(self, request: Headers) -> list[tuple[bytes, bytes]]:
        """Return the headers that every response to this request gets."""
        if not self._origins:
            return []
        vary = [(b"vary", b"Origin")]
        if not self.allows(request):
            return vary
        origin = "*" if "*" in self._origins else request["origin"]
        return [
            *vary,
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", _READABLE),
        ]

    def preflight(self, method: str, request: Headers) -> list[tuple[bytes, bytes]] | None:
        """Return the further headers of the response, if this is an allowed page's preflight.

        A browser asks by it, without a token, whether the page may send its real request.
        """
        asks = method == "OPTIONS" and "access-control-request-method" in request
        if not asks or not self.allows(request):
            return None
        wanted = request.get("access-control-request-headers", "")
        return [
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", wanted.encode("latin-1")),
            (b"access-control-max-age", _CACHED_S),
        ]
