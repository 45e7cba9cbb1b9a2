"""A failed download says which of the network's many ways it was, and which setting helps."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cnn_mnist.data.fetch import _download
from cnn_mnist.errors import DownloadError

MIRROR = "https://mirror.invalid/mnist/a.gz"
"""Never resolved: each proxy below fails before."""


class Refusing(BaseHTTPRequestHandler):
    """Answer every request with the status of the server."""

    def do_GET(self) -> None:
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()

    do_CONNECT = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(autouse=True)
def no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def dead() -> Iterator[str]:
    """The address of nobody."""
    with socket.socket() as bound:  # and never listening
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def reason(url: str, tmp_path: Path) -> str:
    """Return why a download fails, without its address."""
    with pytest.raises(DownloadError) as caught:
        _download(url, tmp_path / "a", decode=True)
    message = str(caught.value)
    assert message.startswith(f"{url}: ")
    assert "\n" not in message
    return message.removeprefix(f"{url}: ")


@pytest.mark.parametrize("url", [MIRROR, MIRROR.replace("https", "http")])
@pytest.mark.parametrize("user", ["", "me:wrong@"])
def test_a_proxy_that_wants_a_password_is_named_with_the_setting_for_it(
    server: HTTPServer, url: str, user: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.status = 407  # type: ignore[attr-defined]
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://{user}127.0.0.1:{server.server_port}")
    assert reason(url, tmp_path) == (
        f"the proxy 127.0.0.1:{server.server_port} wants a user name and a password; "
        "set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
    )


def test_a_proxy_that_refuses_the_mirror_is_named_with_its_answer(
    server: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.status = 403  # type: ignore[attr-defined]
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.server_port}")
    told = reason(MIRROR, tmp_path)
    assert f"through the proxy 127.0.0.1:{server.server_port} (Tunnel" in told
    assert "403 Forbidden" in told


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_dead_proxy_is_named_with_the_settings_that_choose_it(
    dead: str, scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://me:secret@{dead}")
    assert reason(MIRROR, tmp_path) == (
        f"no connection through the proxy {dead} (Connection refused); "
        "correct HTTPS_PROXY, unset it, or name the host in NO_PROXY"
    )


def test_a_socks_proxy_without_its_library_is_told_so(
    dead: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests.adapters.SOCKSProxyManager", socks_is_not_installed)
    monkeypatch.setenv("HTTPS_PROXY", f"socks5://{dead}")
    assert reason(MIRROR, tmp_path) == (
        f"the proxy {dead} speaks SOCKS, which needs PySocks; "
        "pip install pysocks, or set HTTPS_PROXY to an http:// proxy"
    )


def socks_is_not_installed(*_: object, **__: object) -> None:
    from requests.exceptions import InvalidSchema

    raise InvalidSchema("Missing dependencies for SOCKS support.")  # as requests says it


@pytest.mark.parametrize(
    "proxy", ["http://me:se#cret@h:1", "http://[::1", "http://a:b:c", "gopher://h"]
)
def test_a_malformed_proxy_is_told_so_and_its_password_is_not_shown(
    proxy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    told = reason(MIRROR, tmp_path)
    assert "malformed" in told or "unsupported scheme" in told
    assert "correct HTTPS_PROXY" in told
    assert "cret" not in told
    assert "se#" not in told


def test_a_certificate_that_is_not_trusted_is_told_so_with_the_setting_for_a_company_s_own(
    tmp_path: Path, server: HTTPServer
) -> None:
    own = [tmp_path / "key.pem", tmp_path / "cert.pem"]
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-keyout", own[0], "-out", own[1]),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own[1], own[0])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    told = reason(f"https://127.0.0.1:{server.server_port}/a.gz", tmp_path)
    assert told.startswith("its certificate is not trusted (self")
    assert told.endswith("name its certificate: REQUESTS_CA_BUNDLE=FILE.pem")


def test_a_server_that_speaks_no_tls_is_told_so(server: HTTPServer, tmp_path: Path) -> None:
    told = reason(f"https://127.0.0.1:{server.server_port}/a.gz", tmp_path)
    assert told.startswith("no secure connection (")


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_certificate_file_that_is_not_there_is_named_and_not_called_a_full_disk(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "nowhere.pem"))
    told = reason(MIRROR, tmp_path)
    assert str(tmp_path / "nowhere.pem") in told
    assert variable in told


def test_a_mirror_that_cannot_be_reached_is_told_the_setting_for_a_proxy(
    dead: str, tmp_path: Path
) -> None:
    assert reason(f"https://{dead}/a.gz", tmp_path) == (
        "no connection (Connection refused); behind a proxy, set HTTPS_PROXY=http://HOST:PORT"
    )
