"""Downloading: each file from the first mirror that gives its true bytes.

Any failure of a mirror (no route, an error status, silence, a slow drip, too few, too many or wrong
bytes) leads to the next one. A file gets its name only when it is whole, checked and on the disk,
so any number of processes may fetch at once.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cnn_mnist.data import idx
from cnn_mnist.data.catalog import File, Source
from cnn_mnist.errors import DataError, DownloadError, needs_extra
from cnn_mnist.files import sync_directory

CONNECT_TIMEOUT_S: Final = 10.0
SILENCE_TIMEOUT_S: Final = 20.0
"""Longest wait for the next bytes."""
DOWNLOAD_TIMEOUT_S: Final = 600.0
"""Longest time for one file from one mirror."""
MAX_DOWNLOAD_BYTES: Final = 64 << 20
"""Far above any file of the catalog: MNIST's largest is 10 MB."""


def cache_directory() -> Path:
    """Where fetched data is kept: `$XDG_CACHE_HOME` or `~/.cache`, then `cnn-mnist`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "cnn-mnist"


def fetch(source: Source, directory: Path) -> Path:
    """Bring all files of a data set into `directory`; those already there and true stay.

    Args:
        source: what to fetch.
        directory: where to; its sub-folder `source.name` is created.

    Returns:
        The folder with the files.

    Raises:
        DownloadError: no mirror gave the true bytes of a file (each mirror's failure is named), or
            the folder cannot be written.
        MissingExtraError: requests is not installed.
    """
    folder = directory / source.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in source.files:
            present = [path for name in file.spellings if (path := folder / name).exists()]
            if not present or not all(_is_true(file, path) for path in present):
                fetched = _fetch_file(file, source.mirrors, folder)
                for path in present:  # a damaged file under another spelling would be read first
                    if path != fetched:
                        path.unlink(missing_ok=True)
        sync_directory(folder)
    except OSError as error:
        raise DownloadError(f"{folder} cannot be written: {error.strerror or error}") from error
    return folder


def _is_true(file: File, path: Path) -> bool:
    try:
        idx.read(path, dimensions=file.dimensions, sha256=file.sha256)
    except DataError:
        return False
    return True


def _fetch_file(file: File, mirrors: tuple[str, ...], folder: Path) -> Path:
    name = f"{file.name}.gz"
    failures = []
    for mirror in mirrors:
        descriptor, temporary_name = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
        os.close(descriptor)
        temporary = Path(temporary_name)
        try:
            _download(mirror + name, temporary)
            idx.read(temporary, dimensions=file.dimensions, sha256=file.sha256)
            with temporary.open("rb") as stream:
                os.fsync(stream.fileno())
            temporary.chmod(0o644)  # mkstemp's 0600 would hide a shared cache from others
            return temporary.replace(folder / name)
        except DataError as error:
            reason, _, _ = str(error).partition(";")  # what to do about it is said below
            failures.append(reason.replace(str(temporary), mirror + name))
        finally:
            temporary.unlink(missing_ok=True)
    raise DownloadError(
        f"no mirror gave {name}: {'; '.join(failures)}. Put the four MNIST files into a folder D "
        "as D/mnist/ and pass --data-dir D, or use --data digits"
    )


def _download(url: str, path: Path) -> None:
    """Download one file, whatever it holds.

    Raises:
        DownloadError: it could not be had whole; the reason in one line.
        MissingExtraError: requests is not installed.
    """
    with needs_extra("train", "downloading data"):
        import requests
        import urllib3
    deadline = time.monotonic() + DOWNLOAD_TIMEOUT_S
    try:
        timeout = (CONNECT_TIMEOUT_S, SILENCE_TIMEOUT_S)
        with requests.get(url, stream=True, timeout=timeout) as response, path.open("wb") as file:
            response.raise_for_status()
            total = int(response.headers.get("content-length", "0"))
            with _bar(url.rpartition("/")[2], total) as advance:
                # read1 returns what has come: a server that drips bytes cannot outlast the deadline
                while chunk := response.raw.read1(1 << 16, decode_content=True):
                    file.write(chunk)
                    advance(len(chunk))
                    if file.tell() > MAX_DOWNLOAD_BYTES:
                        raise DownloadError(f"{url}: more than {MAX_DOWNLOAD_BYTES:,} bytes")
                    if time.monotonic() > deadline:
                        raise DownloadError(f"{url}: not done after {DOWNLOAD_TIMEOUT_S:g} s")
    except requests.HTTPError as error:
        status = "an error" if error.response is None else error.response.status_code
        raise DownloadError(f"{url}: status {status}") from error
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise DownloadError(f"{url}: no answer in time") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
        raise DownloadError(f"{url}: no connection, or it broke off") from error


@contextmanager
def _bar(name: str, total_bytes: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, nothing elsewhere; yields how to advance it."""
    if not sys.stderr.isatty():
        yield lambda size_bytes: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn(name), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=total_bytes or None)
        yield lambda size_bytes: bar.advance(task, size_bytes)
