"""Downloading: whatever a mirror does, a file has the right bytes or does not exist."""

import gzip
import hashlib
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from cnn_mnist.data import fetch as fetch_module
from cnn_mnist.data import idx
from cnn_mnist.data.catalog import Source
from cnn_mnist.data.fetch import cache_directory, fetch
from cnn_mnist.errors import DownloadError

CHUNK = bytes(1 << 16)


class Mirrors(ThreadingHTTPServer):
    """A server with a mirror under each path: `/good/`, `/hangs/`, ... (see `Handler`)."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.requests: list[str] = []
        self.over = threading.Event()
        self.three_at_once = threading.Barrier(3, timeout=300)

    def url(self, behaviour: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{behaviour}/"

    def of(self, source: Source, *behaviours: str) -> Source:
        return replace(source, mirrors=tuple(map(self.url, behaviours)))

    def handle_error(self, *_: object) -> None:
        """Print nothing: many of these tests are about clients that disconnect."""


class Handler(BaseHTTPRequestHandler):
    """A request; the first part of its path names the method that answers it."""

    server: Mirrors

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        _, behaviour, name = self.path.split("/")
        getattr(self, behaviour)((self.server.folder / name).read_bytes())

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def send(self, body: bytes, *, length: int | None = None, encoding: str | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.end_headers()
        self.wfile.write(body)

    def good(self, body: bytes) -> None:
        self.send(body)

    def good_to_three_at_once(self, body: bytes) -> None:
        if len(self.server.requests) <= 3:
            self.server.three_at_once.wait()
        self.send(body)

    def recompressed(self, body: bytes) -> None:
        self.send(gzip.compress(gzip.decompress(body), 1))

    def declared_as_encoded(self, body: bytes) -> None:
        self.send(body, encoding="gzip")  # as some servers do: the plain file arrives

    def encoded_on_the_way(self, body: bytes) -> None:
        self.send(gzip.compress(body), encoding="gzip")

    def missing(self, body: bytes) -> None:
        self.send_error(404)

    def busy(self, body: bytes) -> None:
        self.send_error(503)

    def hangs(self, body: bytes) -> None:
        self.server.over.wait()

    def hangs_halfway(self, body: bytes) -> None:
        self.send(body[: len(body) // 2], length=len(body))
        self.server.over.wait()

    def drips(self, body: bytes) -> None:
        self.send(b"", length=len(body))
        for byte in body:
            self.wfile.write(bytes([byte]))
            self.server.over.wait(0.02)

    def truncates(self, body: bytes) -> None:
        self.send(body[: len(body) // 2], length=len(body))

    def truncates_silently(self, body: bytes) -> None:
        self.send(body[: len(body) // 2])

    def other_content(self, body: bytes) -> None:
        content = gzip.decompress(body)
        self.send(gzip.compress(content[:-1] + bytes([content[-1] ^ 1])))

    def garbage(self, body: bytes) -> None:
        self.send(b"<html>Please log in to this network</html>")

    def nothing(self, body: bytes) -> None:
        self.send(b"")

    def too_large(self, body: bytes) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.server.over.is_set():
            self.wfile.write(CHUNK)

    def closes(self, body: bytes) -> None:
        self.close_connection = True

    def redirects_endlessly(self, body: bytes) -> None:
        self.send_response(302)
        self.send_header("Location", self.path)
        self.end_headers()


FAILURES = {
    "missing": "status 404",
    "busy": "status 503",
    "hangs": "no answer in time",
    "hangs_halfway": "no answer in time",
    "drips": "not complete after 0.4 s",
    "truncates": "the connection was lost",
    "truncates_silently": "truncated",
    "other_content": "not the expected file",
    "garbage": "not an IDX file",
    "nothing": "not an IDX file",
    "too_large": "larger than the limit of 1 MiB",
    "closes": "the connection was lost",
    "redirects_endlessly": "too many redirects",
}


@pytest.fixture
def mirrors(idx_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirrors]:
    monkeypatch.setattr(fetch_module, "SILENCE_TIMEOUT_S", 0.3)
    monkeypatch.setattr(fetch_module, "DOWNLOAD_TIMEOUT_S", 0.4)
    monkeypatch.setattr(fetch_module, "MAX_DOWNLOAD_BYTES", 1 << 20)
    with Mirrors(idx_folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def assert_intact(source: Source, folder: Path) -> None:
    """Assert that a folder holds the right files of a data set, and nothing else."""
    assert {path.name for path in folder.iterdir()} == {f"{file.name}.gz" for file in source.files}
    for file in source.files:
        idx.read(folder / f"{file.name}.gz", dimensions=file.dimensions, sha256=file.sha256)


def one_file(source: Source) -> Source:
    """Keep the smallest file only, where each mirror has to time out."""
    return replace(source, files=source.files[3:])


@pytest.mark.parametrize("behaviour", FAILURES)
def test_the_next_mirror_is_used_after_one_that_fails(
    mirrors: Mirrors, tiny_source: Source, tmp_path: Path, behaviour: str
) -> None:
    source = mirrors.of(one_file(tiny_source), behaviour, "good")
    assert_intact(source, fetch(source, tmp_path / "data"))
    assert mirrors.requests[0].startswith(f"/{behaviour}/")
    assert mirrors.requests[-1].startswith("/good/")


def test_the_next_mirror_is_used_after_one_that_cannot_be_reached(
    mirrors: Mirrors, tiny_source: Source, tmp_path: Path, dead_mirror: str
) -> None:
    source = replace(tiny_source, mirrors=(dead_mirror, mirrors.url("good")))
    assert_intact(source, fetch(source, tmp_path / "data"))


def test_where_all_mirrors_fail_the_error_names_each_failure_and_no_file_is_left(
    mirrors: Mirrors, tiny_source: Source, tmp_path: Path
) -> None:
    source = mirrors.of(one_file(tiny_source), *FAILURES)
    with pytest.raises(DownloadError) as caught:
        fetch(source, tmp_path / "data")
    failures = str(caught.value).split("; ")
    for behaviour, reason in FAILURES.items():
        (line,) = [failure for failure in failures if mirrors.url(behaviour) in failure]
        assert reason in line
    assert str(tmp_path) not in str(caught.value)
    assert "--data-dir" in str(caught.value)
    assert "--data digits" in str(caught.value)
    assert list((tmp_path / "data" / source.name).iterdir()) == []


@pytest.mark.parametrize("behaviour", ["recompressed", "declared_as_encoded", "encoded_on_the_way"])
def test_any_compression_of_the_right_bytes_is_accepted(
    mirrors: Mirrors, tiny_source: Source, tmp_path: Path, behaviour: str
) -> None:
    source = mirrors.of(tiny_source, behaviour)
    assert_intact(source, fetch(source, tmp_path / "data"))


def test_each_file_is_requested_once_and_a_second_fetch_requests_none(
    mirrors: Mirrors, tiny_source: Source, tmp_path: Path
) -> None:
    source = mirrors.of(tiny_source, "good", "good")
    for _ in range(2):
        fetch(source, tmp_path / "data")
        assert mirrors.requests == [f"/good/{file.name}.gz" for file in source.files]


@pytest.mark.parametrize("spelling", [0, 1, 2, 3])
def test_an_intact_file_under_any_spelling_stays(
    mirrors: Mirrors, tiny_source: Source, tmp_path: Path, spelling: int
) -> None:
    source = mirrors.of(one_file(tiny_source), "good")
    path = tmp_path / "data" / source.name / source.files[0].spellings[spelling]
    path.parent.mkdir(parents=True)
    idx.write(path, (np.arange(30) % 10).astype(np.uint8))
    before = path.read_bytes()
    fetch(source, tmp_path / "data")
    assert mirrors.requests == []
    assert path.read_bytes() == before


@pytest.mark.parametrize("spelling", [0, 1, 2, 3])
@pytest.mark.parametrize("damage", [b"", b"damaged", "other labels"])
def test_only_a_damaged_file_is_fetched_again_under_any_spelling(
    mirrors: Mirrors, tiny_source: Source, tmp_path: Path, spelling: int, damage: bytes | str
) -> None:
    source = mirrors.of(tiny_source, "good")
    folder = fetch(source, tmp_path / "data")
    mirrors.requests.clear()
    name = source.files[3].name
    (folder / f"{name}.gz").unlink()
    path = folder / source.files[3].spellings[spelling]
    if isinstance(damage, str):
        idx.write(path, np.zeros(30, np.uint8))
    else:
        path.write_bytes(damage)
    fetch(source, tmp_path / "data")
    assert mirrors.requests == [f"/good/{name}.gz"]
    assert_intact(source, folder)


def test_a_damaged_file_stays_unchanged_while_no_mirror_delivers_a_good_one(
    mirrors: Mirrors, tiny_source: Source, tmp_path: Path
) -> None:
    source = mirrors.of(one_file(tiny_source), "missing")
    path = tmp_path / "data" / source.name / source.files[0].name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged")
    with pytest.raises(DownloadError):
        fetch(source, tmp_path / "data")
    assert path.read_bytes() == b"damaged"


def test_three_processes_that_fetch_at_once_all_get_the_right_files(
    mirrors: Mirrors, tiny_source: Source, tmp_path: Path
) -> None:
    source = mirrors.of(tiny_source, "good_to_three_at_once")
    program = (
        "import json, pathlib, sys\n"
        "from cnn_mnist.data.catalog import File, Source\n"
        "from cnn_mnist.data.fetch import fetch\n"
        "values = json.loads(sys.argv[1])\n"
        "values['files'] = tuple(File(**file) for file in values['files'])\n"
        "fetch(Source(**values), pathlib.Path(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", program, json.dumps(asdict(source)), str(tmp_path / "data")]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    errors = [process.communicate(timeout=600)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
    assert_intact(source, tmp_path / "data" / source.name)


def test_other_users_may_read_a_fetched_file(
    mirrors: Mirrors, tiny_source: Source, tmp_path: Path
) -> None:
    folder = fetch(mirrors.of(one_file(tiny_source), "good"), tmp_path / "data")
    (path,) = folder.iterdir()
    assert path.stat().st_mode & stat.S_IROTH


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_download_leaves_no_file(
    mirrors: Mirrors, tiny_source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure
) -> None:
    def stop(url: str, path: Path, *, decode: bool) -> None:
        path.write_bytes(b"part")
        raise failure

    monkeypatch.setattr(fetch_module, "_download", stop)
    with pytest.raises((KeyboardInterrupt, DownloadError), match=r"^$|No space left"):
        fetch(mirrors.of(tiny_source, "good"), tmp_path / "data")
    assert list((tmp_path / "data" / tiny_source.name).iterdir()) == []


def test_a_folder_that_cannot_be_created_is_named(
    mirrors: Mirrors, tiny_source: Source, tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(DownloadError, match=f"{tmp_path / 'data'}.* cannot be written"):
        fetch(mirrors.of(tiny_source, "good"), tmp_path / "data")
    assert mirrors.requests == []


def test_the_cache_lies_where_the_xdg_standard_puts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_directory() == Path(os.environ["XDG_CACHE_HOME"]) / "cnn-mnist"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_directory() == Path.home() / ".cache" / "cnn-mnist"


def of_md5(source: Source, folder: Path) -> Source:
    """Know the files of a source by the MD5 of their `.gz`, as those of Fashion-MNIST are."""
    files = []
    for file in source.files:
        md5 = hashlib.md5((folder / f"{file.name}.gz").read_bytes()).hexdigest()
        files.append(replace(file, sha256=None, md5=md5))
    return replace(source, name="fashion-mnist", files=tuple(files))


@pytest.mark.parametrize("behaviour", [*FAILURES, "recompressed"])
def test_a_file_known_by_its_md5_comes_from_the_next_mirror_after_one_that_fails(
    mirrors: Mirrors, tiny_source: Source, tmp_path: Path, behaviour: str
) -> None:
    source = of_md5(one_file(mirrors.of(tiny_source, behaviour, "good")), mirrors.folder)
    assert_intact(source, fetch(source, tmp_path / "data"))
    assert [path.split("/")[1] for path in mirrors.requests][-1] == "good"


def test_a_file_known_by_its_md5_is_taken_from_a_server_that_calls_it_encoded(
    mirrors: Mirrors, tiny_source: Source, tmp_path: Path
) -> None:
    source = of_md5(mirrors.of(tiny_source, "declared_as_encoded"), mirrors.folder)
    folder = fetch(source, tmp_path / "data")
    name = f"{source.files[0].name}.gz"
    assert (folder / name).read_bytes() == (mirrors.folder / name).read_bytes()


def test_the_error_names_the_data_set_and_offers_the_digits_in_place_of_mnist_only(
    mirrors: Mirrors, tiny_source: Source, tmp_path: Path
) -> None:
    source = of_md5(one_file(mirrors.of(tiny_source, "missing")), mirrors.folder)
    with pytest.raises(DownloadError) as caught:
        fetch(source, tmp_path / "data")
    assert "the four fashion-mnist files into a folder D as D/fashion-mnist/" in str(caught.value)
    assert "digits" not in str(caught.value)
