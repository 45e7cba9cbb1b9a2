"""Say why a download failed, and which setting helps.

requests and urllib3 wrap an error of the network several times; the innermost tells what happened.
A proxy's user name and password are never shown.
"""

import ssl
from typing import Final

import requests
from requests.utils import get_environ_proxies, select_proxy
from urllib3 import exceptions as urllib3_errors

from cnn_mnist.errors import first_line

_PROXY_STATUS: Final = 407
"""What a proxy answers that wants a user name and a password."""
_SET_PROXY: Final = "behind a proxy, set HTTPS_PROXY=http://HOST:PORT"
_NAME_USER: Final = "set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
_MEND_PROXY: Final = "correct HTTPS_PROXY, unset it, or name the host in NO_PROXY"
_INSTALL_SOCKS: Final = "pip install pysocks, or set HTTPS_PROXY to an http:// proxy"
_NAME_CERTIFICATE: Final = (
    "where a proxy reads the traffic, name its certificate: REQUESTS_CA_BUNDLE=FILE.pem"
)
_MEND_CERTIFICATES: Final = "check REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE"


def describe(error: Exception, url: str) -> str:
    """Return why a download failed, in one line: `REASON`, or `REASON; WAY OUT`.

    Args:
        error: what requests or urllib3 raised.
        url: what was downloaded.
    """
    causes = _causes(error)
    detail = _detail(causes[-1])
    proxy = select_proxy(url, get_environ_proxies(url))
    if isinstance(error, requests.HTTPError) and error.response is not None:
        detail = f"status {error.response.status_code}"
        if not (proxy and error.response.status_code == _PROXY_STATUS):
            return detail
    if proxy and _is_of_proxy(causes, proxy):
        return _describe_proxy(causes, detail, proxy)
    if isinstance(error, requests.Timeout | urllib3_errors.TimeoutError):
        return "no answer in time"
    if isinstance(error, requests.TooManyRedirects):
        return "too many redirects"
    if isinstance(causes[-1], ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({detail}); {_NAME_CERTIFICATE}"
    if isinstance(causes[-1], ssl.SSLError) or "CA certificate bundle" in detail:
        return f"no secure connection ({detail}); {_MEND_CERTIFICATES}"
    if any(isinstance(cause, urllib3_errors.NewConnectionError) for cause in causes):
        return f"no connection ({detail}); {_SET_PROXY}"
    return f"the connection was lost ({detail})"


def _causes(error: Exception) -> list[Exception]:
    """Return an error and those that it wraps, the innermost last."""
    causes = [error]
    while True:
        last = causes[-1]
        wrapped = (getattr(last, "reason", None), *last.args, last.__cause__, last.__context__)
        inner = [cause for cause in wrapped if isinstance(cause, Exception)]
        if not inner or inner[0] in causes:
            return causes
        causes.append(inner[0])


def _detail(cause: Exception) -> str:
    """Return what happened, in the words of the operating system or of the library."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return first_line(cause)


def _is_of_proxy(causes: list[Exception], proxy: str) -> bool:
    """Return whether a download failed at its proxy, not behind it."""
    kinds = [
        *(urllib3_errors.ProxyError, requests.HTTPError),
        *(requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema),
    ]
    if proxy.startswith("socks"):
        kinds.append(urllib3_errors.NewConnectionError)
    return any(isinstance(cause, tuple(kinds)) for cause in causes)


def _describe_proxy(causes: list[Exception], detail: str, proxy: str) -> str:
    """Return why a download failed at its proxy, as `REASON; WAY OUT`."""
    place = proxy.rpartition("/")[2].rpartition("@")[2] or proxy
    if f" {_PROXY_STATUS}" in detail:
        return f"the proxy {place} wants a user name and a password; {_NAME_USER}"
    if isinstance(causes[0], requests.exceptions.InvalidSchema):
        return f"the proxy {place} speaks SOCKS, which needs PySocks; {_INSTALL_SOCKS}"
    if isinstance(causes[-1], urllib3_errors.LocationParseError):
        detail = "its address is malformed"  # urllib3 would show it, and a password in it
    return f"no connection through the proxy {place} ({detail}); {_MEND_PROXY}"
