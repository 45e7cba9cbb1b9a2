"""Start the processes of a parallel training, and report how they ended.

torchrun's own agent runs in this process: it starts the workers, watches them, stops all of them
where one fails, and restarts them as often as it may.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from cnn_mnist.errors import CnnMnistError, Interrupted, WorkerError, WorkerLostError
from cnn_mnist.files import replace
from cnn_mnist.machine import cores
from cnn_mnist.training.signals import STOPPING

_ERROR_FILE = "TORCHELASTIC_ERROR_FILE"


def launch(arguments: Sequence[str], *, workers: int, max_restarts: int = 0) -> None:
    """Run `cnn-mnist ARGUMENTS` in several processes on this machine, until all have ended.

    They share the processor's cores, and communicate over the loopback interface only.

    Args:
        arguments: of the command line; each process finds its number in its environment.
        workers: how many processes.
        max_restarts: how often all of them are restarted after one has failed.

    Raises:
        WorkerError: one failed, and no restart was left.
        Interrupted: SIGINT or SIGTERM came; the workers have stopped.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // workers)))
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    logging.disable(logging.WARNING)  # the agent's; each worker has its own
    with TemporaryDirectory(prefix="cnn-mnist-workers-") as logs:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=workers,
            run_id="cnn-mnist",
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",  # any free port
            local_addr="localhost",
            max_restarts=max_restarts,
            signals_to_handle=",".join(number.name for number in STOPPING),
            logs_specs=DefaultLogsSpecs(log_dir=logs),
        )
        try:
            elastic_launch(config, sys.executable)("-m", "cnn_mnist", *arguments)
        except SignalException as error:
            message = (
                _interruption(Path(logs)) or f"stopped by {error.sigval.name}: train again to go on"
            )
            raise Interrupted(message, error.sigval) from error
        except ChildFailedError as error:
            raise _worker_error(error.failures) from error
        finally:
            logging.disable(logging.NOTSET)


def is_worker() -> bool:
    """Return whether an agent, torchrun's or that of `launch`, has started this process."""
    return _ERROR_FILE in os.environ


@contextmanager
def report_errors() -> Iterator[None]:
    """Write an error of the block where the agent looks for it, and exit with its exit code.

    The agent prints it once, however many workers have raised it.
    """
    try:
        yield
    except CnnMnistError as error:
        content = {
            "message": str(error),
            "timestamp": int(time.time()),
            "kind": type(error).__name__,
            "exit_code": error.exit_code,
        }
        replace(Path(os.environ[_ERROR_FILE]), json.dumps(content).encode())
        sys.exit(error.exit_code)


def _interruption(logs: Path) -> str | None:
    """Return the message of a worker that was interrupted."""
    for path in logs.rglob("error.json"):
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content["kind"] == Interrupted.__name__:
            return str(content["message"])
    return None


def _worker_error(failures: dict[int, ProcessFailure]) -> WorkerError:
    """Return the first failure; that the other workers lost this one is a consequence."""

    def order(rank: int) -> tuple[bool, int, int]:
        kind = failures[rank].error_file_data.get("kind")
        return kind == WorkerLostError.__name__, failures[rank].timestamp, rank

    rank = min(failures, key=order)
    failure = failures[rank]
    if "kind" in failure.error_file_data:
        # not the process's exit code: the agent may have stopped it after it reported
        return WorkerError(failure.message, failure.error_file_data["exit_code"])
    how = f"by {failure.signal_name()}" if failure.exitcode < 0 else f"with {failure.exitcode}"
    return WorkerError(f"worker {rank} ended {how}: train again to go on from the last checkpoint")
