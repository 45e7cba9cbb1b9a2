"""Compute in thread pools with bounded queues: tensors in batches, pictures one by one.

The bound is `Limits.max_waiting`: when as many requests wait in a queue, further ones get a
`BusyError` at once, which the application answers with 503.

A batch is never waited for: a free thread takes what is waiting, so one request alone is answered
at once, and the busier the server is, the larger its batches grow. Each run of the network has one
thread: on small images, many batches side by side are faster than one batch on many cores.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, ParamSpec, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from cnn_mnist.errors import BusyError
from cnn_mnist.serve.metrics import Metrics

Images: TypeAlias = npt.NDArray[np.float32]
Answer: TypeAlias = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

MAX_BATCH: Final = 64
"""Images of several requests in one batch: with more, only the latency grows."""

_FULL: Final = "busy: {} requests are waiting; try again"
_TOO_LATE: Final = "busy: the request waited too long; try again"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The size of a thread pool, and the bounds of its queue."""

    threads: int
    """Batches, or pictures, computed at the same time."""
    max_waiting: int
    """The bound on waiting requests: while this many are queued, further requests are refused."""
    max_wait_s: float
    """Longest time in the queue; requests that have waited longer are refused."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    images: Images
    answer: "asyncio.Future[Answer]"
    since_s: float


class Batcher:
    """Runs waiting requests together as one batch.

    Args:
        predict: images `(N, 1, 28, 28)` to logits and probabilities; called from several threads.
        limits: of the threads, each of which runs one batch at a time, and of the queue.
        metrics: records the queue's depth and the batches' sizes.
    """

    def __init__(
        self, predict: Callable[[Images], Answer], limits: Limits, metrics: Metrics
    ) -> None:
        self._predict = predict
        self._limits = limits
        self._metrics = metrics
        self._pool = ThreadPoolExecutor(limits.threads, "batch")
        self._free = limits.threads
        self._queue: deque[_Waiting] = deque()

    async def run(self, images: Images) -> Answer:
        """Return logits and probabilities of one request's images, each `(N, classes)`.

        Raises:
            BusyError: the queue is full, or the request has waited in it for too long.
        """
        if len(self._queue) >= self._limits.max_waiting:
            raise BusyError(_FULL.format(self._limits.max_waiting))
        loop = asyncio.get_running_loop()
        waiting = _Waiting(images, loop.create_future(), loop.time())
        self._queue.append(waiting)
        loop.call_soon(self._start, loop)  # after all that arrive in this turn of the loop
        return await waiting.answer

    def close(self) -> None:
        """Shut down the pool; running batches are finished first."""
        self._pool.shutdown(wait=True)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start a batch in each free thread, as far as requests are waiting."""
        while self._free and (batch := self._take(loop.time())):
            self._free -= 1
            images = np.concatenate([waiting.images for waiting in batch])
            self._metrics.batch(len(images))
            run = loop.run_in_executor(self._pool, self._predict, images)
            run.add_done_callback(lambda run, batch=batch: self._finish(loop, run, batch))  # type: ignore[misc]
        self._metrics.queue("tensors", len(self._queue))

    def _take(self, now_s: float) -> list[_Waiting]:
        """Take the next batch from the queue: an even share for each free thread."""
        share = -(-len(self._queue) // self._free)
        batch: list[_Waiting] = []
        size = 0
        while self._queue and len(batch) < share:
            waiting = self._queue[0]
            if batch and size + len(waiting.images) > MAX_BATCH:
                break
            self._queue.popleft()
            if waiting.answer.done():  # cancelled: its client has disconnected
                continue
            if now_s - waiting.since_s > self._limits.max_wait_s:
                waiting.answer.set_exception(BusyError(_TOO_LATE))
                continue
            batch.append(waiting)
            size += len(waiting.images)
        return batch

    def _finish(
        self,
        loop: asyncio.AbstractEventLoop,
        run: "asyncio.Future[Answer]",
        batch: Sequence[_Waiting],
    ) -> None:
        """Start the next batch, and give each request of this one its part of the results."""
        self._free += 1
        self._start(loop)
        error = run.exception()
        start = 0
        for waiting in batch:
            stop = start + len(waiting.images)
            if waiting.answer.done():
                pass
            elif error is not None:
                waiting.answer.set_exception(error)
            else:
                logits, probabilities = run.result()
                waiting.answer.set_result((logits[start:stop], probabilities[start:stop]))
            start = stop


class Pool:
    """Runs functions in threads, with a bounded number of calls waiting.

    Args:
        limits: of the threads and the queue.
        metrics: records the queue's depth.
    """

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self._limits = limits
        self._metrics = metrics
        self._pool = ThreadPoolExecutor(limits.threads, "picture")
        self._pending = 0

    async def run(
        self,
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call the function in a thread; return its result or raise its exception.

        Raises:
            BusyError: the queue is full, or the call has waited in it for too long.
        """
        if self._pending >= self._limits.threads + self._limits.max_waiting:
            raise BusyError(_FULL.format(self._limits.max_waiting))
        loop = asyncio.get_running_loop()
        latest_s = loop.time() + self._limits.max_wait_s

        def call() -> Result:
            if loop.time() > latest_s:
                raise BusyError(_TOO_LATE)
            return function(*args, **kwargs)

        self._count(+1)
        try:
            return await loop.run_in_executor(self._pool, call)
        finally:
            self._count(-1)

    def close(self) -> None:
        """Shut down the pool; running calls are finished first."""
        self._pool.shutdown(wait=True)

    def _count(self, change: int) -> None:
        self._pending += change
        self._metrics.queue("pictures", max(0, self._pending - self._limits.threads))
