"""Download data sets: each file from the first mirror that delivers the right bytes.

Any failure of a mirror (no route, an error status, silence, a slow drip, too few, too many or wrong
bytes) leads to the next one. A file gets its name only when it is complete, checked and on the
disk, so any number of processes may fetch at once.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from cnn_mnist.data.catalog import MNIST, File, Source
from cnn_mnist.data.verified_file import read_path
from cnn_mnist.errors import DataError, DownloadError, needs_extra, os_errors_as
from cnn_mnist.files import replace_with

CONNECT_TIMEOUT_S: Final = 10.0
SILENCE_TIMEOUT_S: Final = 20.0
"""Longest wait for the next bytes."""
DOWNLOAD_TIMEOUT_S: Final = 600.0
"""Longest time for one file from one mirror."""
MAX_DOWNLOAD_BYTES: Final = 64 << 20
"""Far above any file of the catalogue: MNIST's largest has 10 MB."""


def cache_directory() -> Path:
    """Return where fetched data is kept: `$XDG_CACHE_HOME` or `~/.cache`, then `cnn-mnist`.

    Raises:
        DownloadError: the user has no home directory.
    """
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "cnn-mnist"
    try:
        return Path.home() / ".cache" / "cnn-mnist"
    except RuntimeError as error:
        raise DownloadError(
            "there is no home directory to keep downloads in: name a folder with --data-dir, "
            "$CNN_MNIST_DATA or $XDG_CACHE_HOME"
        ) from error


def fetch(source: Source, directory: Path) -> Path:
    """Download the files of a data set; intact files that are already there stay.

    Args:
        source: what to download.
        directory: where to; its sub-folder `source.name` is created.

    Returns:
        The folder with the files.

    Raises:
        DownloadError: no mirror delivered the right bytes of a file (each mirror's failure is
            named), or the folder cannot be written.
        MissingExtraError: requests is not installed.
    """
    folder = directory / source.name
    with os_errors_as(DownloadError, f"{folder} cannot be written"):
        folder.mkdir(parents=True, exist_ok=True)
        for file in source.files:
            present = file.find_in(folder)
            if not present or not all(_is_intact(file, path) for path in present):
                fetched = _fetch_file(file, source, folder)
                for path in present:  # a damaged file of another spelling would be read first
                    if path != fetched:
                        path.unlink(missing_ok=True)
    return folder


def _is_intact(file: File, path: Path) -> bool:
    try:
        read_path(file, path)
    except DataError:
        return False
    return True


def _fetch_file(file: File, source: Source, folder: Path) -> Path:
    """Download one file from the first mirror that delivers it, and return its path."""
    path = folder / f"{file.name}.gz"
    failures, ways_out = [], []
    for mirror in source.mirrors:
        try:
            replace_with(path, partial(_download_and_check, mirror + path.name, file))
        except DownloadError as error:
            reason, _, way_out = str(error).partition("; ")
            failures.append(reason)
            if way_out and way_out not in ways_out:
                ways_out.append(way_out)
        else:
            return path
    name = "MNIST" if source.name == MNIST.name else source.name
    way_out = f"put the four {name} files into a folder D as D/{source.name}/ and pass --data-dir D"
    if source.name == MNIST.name:
        way_out += ", or use --data digits"
    raise DownloadError(
        f"no mirror delivered {path.name}: {'; '.join(failures)}. What helps: "
        f"{'; '.join([*ways_out, way_out])}"
    )


def _download_and_check(url: str, file: File, path: Path) -> None:
    """Download one file, and raise `DownloadError` unless it has the right bytes."""
    _download(url, path, decode=file.md5 is None)
    try:
        read_path(file, path)
    except DataError as error:
        reason, _, _ = str(error).partition(";")  # what helps with a file of one's own
        raise DownloadError(reason.replace(str(path), url)) from error


def _download(url: str, path: Path, *, decode: bool) -> None:
    """Download one file, whatever its content.

    Args:
        url: the file.
        path: where to.
        decode: whether a compression for the way (`Content-Encoding`) is undone. Where it is not,
            the server is asked for none: some say so of a file that is compressed already, whose
            MD5 would be lost.

    Raises:
        DownloadError: the download did not complete; the reason in one line, and after a semicolon
            what helps.
        MissingExtraError: requests is not installed.
    """
    with needs_extra("train", "downloading data"):
        import requests
        import urllib3

        from cnn_mnist.data.download_errors import describe
    deadline = time.monotonic() + DOWNLOAD_TIMEOUT_S
    timeout = (CONNECT_TIMEOUT_S, SILENCE_TIMEOUT_S)
    try:
        headers = None if decode else {"Accept-Encoding": "identity"}
        response = requests.get(url, stream=True, timeout=timeout, headers=headers)
    except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
        raise DownloadError(f"{url}: {describe(error, url)}") from error
    try:
        with response, path.open("wb") as file:
            response.raise_for_status()
            total_bytes = int(response.headers.get("content-length", "0"))
            with _progress_bar(path.name, total_bytes) as advance:
                # read1 returns what has arrived: a slow server cannot outlast the deadline
                while chunk := response.raw.read1(1 << 16, decode_content=decode):
                    file.write(chunk)
                    advance(len(chunk))
                    if file.tell() > MAX_DOWNLOAD_BYTES:
                        limit_mib = MAX_DOWNLOAD_BYTES >> 20
                        raise DownloadError(f"{url}: larger than the limit of {limit_mib} MiB")
                    if time.monotonic() > deadline:
                        raise DownloadError(f"{url}: not complete after {DOWNLOAD_TIMEOUT_S:g} s")
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
        raise DownloadError(f"{url}: {describe(error, url)}") from error


@contextmanager
def _progress_bar(name: str, total_bytes: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal, nothing elsewhere; yield the function that advances it."""
    if not sys.stderr.isatty():
        yield lambda size_bytes: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn(name), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=total_bytes or None)
        yield lambda size_bytes: bar.advance(task, size_bytes)
