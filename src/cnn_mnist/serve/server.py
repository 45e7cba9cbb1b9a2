"""Run the server in one process or several: its socket, signals and shutdown."""

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

from cnn_mnist.errors import ServeError, os_errors_as
from cnn_mnist.serve.app import create_app
from cnn_mnist.serve.connection import KEEP_ALIVE_TIMEOUT_S, Connection
from cnn_mnist.serve.log import CONFIG
from cnn_mnist.serve.metrics import WORKERS_DIR, forget_worker
from cnn_mnist.serve.settings import Settings

BACKLOG: Final = 2048
SHUTDOWN_TIMEOUT_S: Final = 25
"""For answering all accepted requests after listening has ended."""


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes any free port.

    Raises:
        ServeError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    failed = f"cannot listen on {host}:{port} (choose another --host or --port)"
    with os_errors_as(ServeError, failed):
        return socket.create_server((host, port), family=family, backlog=BACKLOG)


def run(settings: Settings, listening: socket.socket, workers: int = 1) -> None:
    """Serve until SIGTERM or SIGINT; every accepted request is answered before this returns.

    Args:
        settings: of the application.
        listening: the socket from `listen`.
        workers: number of processes, which share the socket.

    Raises:
        KeyboardInterrupt: SIGINT ended the server; it was shut down as by SIGTERM.
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
        timeout_keep_alive=KEEP_ALIVE_TIMEOUT_S,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
    )
    if workers == 1:
        # uvicorn raises the signal again after its shutdown: it must not kill the process then
        signal.signal(signal.SIGTERM, lambda *_: None)
        uvicorn.Server(config).run([listening])
    else:
        with _metrics_folder():
            supervisor = _Supervisor(config, [listening])
            supervisor.run()
        if supervisor.interrupted:
            raise KeyboardInterrupt


class _Supervisor(Multiprocess):
    """uvicorn's supervisor, which also records whether SIGINT ended it, and tidies the metrics."""

    interrupted = False

    def keep_subprocess_alive(self) -> None:
        before = list(self.processes)
        super().keep_subprocess_alive()
        for process in before:
            if process not in self.processes and process.pid is not None:
                forget_worker(process.pid)

    def handle_int(self) -> None:
        self.interrupted = True
        super().handle_int()


@contextmanager
def _metrics_folder() -> Iterator[None]:
    """Have a folder for the workers' metrics, the user's own where the environment names one.

    The workers inherit the environment, and import prometheus_client.
    """
    if os.environ.get(WORKERS_DIR):
        yield
        return
    try:
        place = tempfile.gettempdir()
    except FileNotFoundError:  # a read-only root, as containers have it
        place = "/dev/shm"  # noqa: S108 - the folder in it has a name that nobody can foresee
    with os_errors_as(ServeError, f"no place for the workers' metrics (name one by {WORKERS_DIR})"):
        folder = tempfile.TemporaryDirectory(prefix="cnn-mnist-metrics-", dir=place)
    with folder as name:
        os.environ[WORKERS_DIR] = name
        try:
            yield
        finally:
            del os.environ[WORKERS_DIR]
