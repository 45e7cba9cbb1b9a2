"""Share among all tests: an empty cache, tiny data, the true MNIST, a browser."""

import gzip
import hashlib
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, sync_playwright

from cnn_mnist.data import idx
from cnn_mnist.data.catalog import Source, idx_files

# read before `nothing_of_the_user` hides it
_DATA = os.environ.get("CNN_MNIST_DATA")

# A shell's background job and `nohup` ignore these, and hand that on to the programs that tests
# start and stop by them.
for _number, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, _handler)


@pytest.fixture(autouse=True)
def nothing_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's cache or data directory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CNN_MNIST_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """A data directory that holds the true MNIST as `mnist/`."""
    if not _DATA or not (Path(_DATA) / "mnist").is_dir():
        pytest.skip("the true MNIST is not here: set CNN_MNIST_DATA")
    return Path(_DATA).resolve()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    names = ("chromium", "google-chrome")
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        pytest.skip("no Chromium here: scripts/test-browser gets it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def idx_folder(tmp_path: Path) -> Path:
    """A tiny data set in IDX form: 120 training and 30 test images of noise, labels 0 to 9."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name, count in (("train", 120), ("t10k", 30)):
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        idx.write(folder / f"{name}-images-idx3-ubyte.gz", images)
        idx.write(folder / f"{name}-labels-idx1-ubyte.gz", labels)
    return folder


@pytest.fixture
def tiny_source(idx_folder: Path) -> Source:
    """A stand-in for MNIST: the files of `idx_folder` are its true ones. It has no mirrors."""
    hashes = []
    for file in idx_files((None,) * 4):
        compressed = (idx_folder / f"{file.name}.gz").read_bytes()
        hashes.append(hashlib.sha256(gzip.decompress(compressed)).hexdigest())
    return Source(
        name="mnist",
        description="noise",
        licence="none",
        files=idx_files(tuple(hashes)),
        mirrors=(),
    )


@pytest.fixture
def dead_mirror() -> Iterator[str]:
    """The address of a mirror that refuses every connection."""
    with socket.socket() as bound:  # and never listening: nobody else gets the port meanwhile
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/"
