"""Define what a server is started with, and its limits."""

import os
import re
import stat
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cnn_mnist.errors import CnnMnistWarning, ServeError, os_errors_as
from cnn_mnist.inference.model import BUNDLED
from cnn_mnist.machine import cores

_MAX_TOKEN_BYTES: Final = 4096


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything the application needs; it is pickled for worker processes."""

    model: Path = BUNDLED
    """The ONNX file of a network."""
    threads: int = 0
    """Batches, and pictures, computed at the same time; 0: one for each core."""
    token: str | None = field(default=None, repr=False)
    """Clients must send `Authorization: Bearer TOKEN`, except for health checks and the page."""
    allow_origins: tuple[str, ...] = ()
    """Origins whose pages may call the server from a browser, such as `https://example.org`; `*`
    stands for all."""
    max_body_bytes: int = 16 << 20
    """Largest body with a picture: enough for the photos of any phone."""
    max_tensor_bytes: int = 4 << 20
    """Largest body of an inference request: enough for 256 images as JSON."""
    max_bodies_bytes: int = 128 << 20
    """Most bytes of bodies whose requests are not answered yet; further requests get 503."""
    max_pixels: int = 50_000_000
    """Largest picture, width times height; larger ones are refused before they are decoded. Also
    the most pixels of all pictures that are read at the same time; further ones wait."""
    max_waiting: int = 256
    """Most requests that wait in each queue (tensors, pictures); further requests get 503."""
    max_wait_s: float = 10.0
    """Longest time in a queue; requests that have waited longer get 503."""
    drain_s: float = 1.0
    """From SIGTERM, when readiness turns false, to the end of listening: time for a load balancer
    to send new clients elsewhere."""

    @property
    def runners(self) -> int:
        """Return `threads`, or the number of cores where it is 0."""
        return self.threads or cores()


def read_token(path: Path) -> str:
    """Return the token in a file: its only line.

    Warns if other users of the machine can read the file.

    Raises:
        ServeError: the file cannot be read, or is not one line of printable ASCII without spaces.
    """
    with os_errors_as(ServeError, f"{path} cannot be read"), path.open("rb") as stream:
        token = stream.read(_MAX_TOKEN_BYTES).strip()
        mode = os.fstat(stream.fileno()).st_mode
    if not re.fullmatch(rb"[!-~]+", token):
        raise ServeError(
            f"{path} is not a token file: expected one line of printable ASCII without spaces"
        )
    if os.name == "posix" and mode & (stat.S_IRGRP | stat.S_IROTH):
        warnings.warn(
            f"other users can read the token in {path}: run chmod 600 {path}",
            CnnMnistWarning,
            stacklevel=2,
        )
    return token.decode("ascii")
