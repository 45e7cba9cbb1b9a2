"""What the server tells Prometheus: requests, latency, batches, queues; of all workers together."""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

WORKERS_DIR: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder in which workers keep their figures for each other; it is
prometheus_client's own, set before that is imported."""

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_IMAGES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The figures of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "cnn_mnist_requests",
            "Requests answered.",
            ("route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "cnn_mnist_request_seconds",
            "From the request's headers to the end of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._batch = Histogram(
            "cnn_mnist_batch_images",
            "Images that were run as one batch.",
            buckets=_IMAGES,
            registry=self._registry,
        )
        self._queue = Gauge(
            "cnn_mnist_queue_depth",
            "Requests that wait to be computed.",
            ("queue",),
            multiprocess_mode="livesum",
            registry=self._registry,
        )
        self._in_flight = Gauge(
            "cnn_mnist_requests_in_flight",
            "Requests that are being answered.",
            multiprocess_mode="livesum",
            registry=self._registry,
        )
        self._queues = {name: self._queue.labels(name) for name in ("tensors", "pictures")}

    def began(self) -> None:
        """A request has come."""
        self._in_flight.inc()

    def ended(self, route: str, status: int, seconds: float) -> None:
        """A request has been answered.

        Args:
            route: the path's pattern; never the path itself, which anyone can choose.
            status: of the answer.
            seconds: that it took.
        """
        self._in_flight.dec()
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def batch(self, images: int) -> None:
        """A batch is run."""
        self._batch.observe(images)

    def queue(self, name: str, depth: int) -> None:
        """The queue of `tensors` or `pictures` has changed."""
        self._queues[name].set(depth)

    def page(self) -> bytes:
        """All figures in Prometheus' text form."""
        folder = os.environ.get(WORKERS_DIR)
        if folder is None:
            return generate_latest(self._registry)
        _forget_the_dead(Path(folder))
        together = CollectorRegistry()
        multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def _forget_the_dead(folder: Path) -> None:
    """A worker that was killed waits for nothing."""
    for file in folder.glob("gauge_live*_*.db"):
        match = re.search(r"_(\d+)\.db$", file.name)
        if match and not _alive(int(match[1])):
            with suppress(FileNotFoundError):  # another worker was faster
                multiprocess.mark_process_dead(match[1])  # type: ignore[no-untyped-call]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
