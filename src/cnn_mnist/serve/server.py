"""The server as a process, or several: its socket, its signals, its end."""

import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import uvicorn
from uvicorn.supervisors import Multiprocess

from cnn_mnist.errors import ServeError
from cnn_mnist.serve.app import create_app
from cnn_mnist.serve.connection import KEEP_ALIVE_S, Connection
from cnn_mnist.serve.log import CONFIG
from cnn_mnist.serve.metrics import WORKERS_DIR
from cnn_mnist.serve.settings import Settings

BACKLOG: Final = 2048
DRAIN_LIMIT_S: Final = 25
"""In which everything accepted must be answered after listening has ended."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any that is free.

    Raises:
        ServeError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ServeError(
            f"{host}:{port} cannot be listened on: {reason}: choose another --host or --port"
        ) from error


def run(settings: Settings, listening: socket.socket, workers: int = 1) -> None:
    """Serve until SIGTERM; everything accepted is answered before this returns.

    Args:
        settings: of the application.
        listening: from `listen`.
        workers: processes that share it.

    Raises:
        KeyboardInterrupt: it was SIGINT that ended the server, as gently.
    """
    config = uvicorn.Config(
        partial(create_app, settings),
        factory=True,
        http=Connection,
        ws="none",
        workers=workers,
        log_config=CONFIG,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_LIMIT_S,
    )
    if workers == 1:
        # uvicorn raises the signal again when all is done: then it ends this call, no more
        signal.signal(signal.SIGTERM, lambda *_: None)
        uvicorn.Server(config).run([listening])
    else:
        with _shared_figures():
            supervisor = _Supervisor(config, [listening])
            supervisor.run()
        if supervisor.interrupted:
            raise KeyboardInterrupt


class _Supervisor(Multiprocess):
    """uvicorn's, that remembers what ended it."""

    interrupted = False

    def handle_int(self) -> None:
        self.interrupted = True
        super().handle_int()


@contextmanager
def _shared_figures() -> Iterator[None]:
    """A folder for the workers' figures; it is there before they import prometheus_client."""
    with tempfile.TemporaryDirectory(prefix="cnn-mnist-metrics-") as folder:
        os.environ[WORKERS_DIR] = folder
        try:
            yield
        finally:
            del os.environ[WORKERS_DIR]
