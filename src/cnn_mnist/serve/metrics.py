"""Collect metrics for Prometheus: requests, latency, batches and queues, summed over workers."""

import os
from pathlib import Path
from typing import Final

from cnn_mnist.errors import ServeError, os_errors_as

WORKERS_DIR: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that names the folder through which workers share their metrics.

prometheus_client defines it, and reads it when it is imported. A folder that the user names is
used as it is, and never removed.
"""

if not os.environ.get(WORKERS_DIR):  # prometheus_client takes even an empty name for a folder's
    os.environ.pop(WORKERS_DIR, None)
from prometheus_client import (  # noqa: E402 - see above
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_IMAGES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The metrics of one application."""

    def __init__(self) -> None:
        folder = os.environ.get(WORKERS_DIR)
        with os_errors_as(ServeError, f"the metrics cannot be kept in {folder} ({WORKERS_DIR})"):
            if folder is not None:
                Path(folder).mkdir(parents=True, exist_ok=True)
            self._registry = CollectorRegistry()
            self._requests = Counter(
                "cnn_mnist_requests",
                "Requests answered.",
                ("route", "status"),
                registry=self._registry,
            )
            self._seconds = Histogram(
                "cnn_mnist_request_seconds",
                "Seconds from the request's headers to the end of its response.",
                ("route",),
                buckets=_SECONDS,
                registry=self._registry,
            )
            self._batch = Histogram(
                "cnn_mnist_batch_images",
                "Images run as one batch.",
                buckets=_IMAGES,
                registry=self._registry,
            )
            self._queue = Gauge(
                "cnn_mnist_queue_depth",
                "Requests waiting to be computed.",
                ("queue",),
                multiprocess_mode="livesum",
                registry=self._registry,
            )
            self._in_flight = Gauge(
                "cnn_mnist_requests_in_flight",
                "Requests being answered.",
                multiprocess_mode="livesum",
                registry=self._registry,
            )
            self._queues = {name: self._queue.labels(name) for name in ("tensors", "pictures")}

    def request_started(self) -> None:
        """Count a request that is being answered."""
        self._in_flight.inc()

    def request_finished(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request.

        Args:
            route: the path's pattern; never the path itself, which any client can choose.
            status: of the response.
            seconds: that it took.
        """
        self._in_flight.dec()
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def batch(self, images: int) -> None:
        """Record the size of a batch that is run."""
        self._batch.observe(images)

    def queue(self, name: str, depth: int) -> None:
        """Record how many requests wait in the queue `tensors` or `pictures`."""
        self._queues[name].set(depth)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        if WORKERS_DIR not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def forget_worker(pid: int) -> None:
    """Remove the gauges of a worker that has ended: none of its requests waits any longer."""
    multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
