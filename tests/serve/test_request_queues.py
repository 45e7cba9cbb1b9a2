"""Test the queues: waiting requests run as one batch, and queues and waits are bounded."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from cnn_mnist.errors import BusyError
from cnn_mnist.serve.metrics import Metrics
from cnn_mnist.serve.request_queues import Answer, Batcher, Images, Limits, Pool


class Network:
    """A fake model: doubles its input, records the batches, and waits until it may go."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.go = threading.Event()

    def predict(self, images: Images) -> Answer:
        self.batches.append(len(images))
        assert self.go.wait(30)
        if images.max() == 9:
            raise ValueError("nine")
        return images.reshape(len(images), -1), images.reshape(len(images), -1) * 2


def image(value: float, count: int = 1) -> Images:
    return np.full((count, 1, 1, 1), value, np.float32)


def limits(threads: int = 1, max_waiting: int = 8, max_wait_s: float = 30) -> Limits:
    return Limits(threads=threads, max_waiting=max_waiting, max_wait_s=max_wait_s)


def run(work: Callable[[Network], Coroutine[Any, Any, None]]) -> None:
    network = Network()
    try:
        asyncio.run(work(network))
    finally:
        network.go.set()


async def started(*requests: Coroutine[Any, Any, Any]) -> list["asyncio.Task[Any]"]:
    """Start the requests one after another; return their tasks when all have arrived."""
    tasks = []
    for request in requests:
        tasks.append(asyncio.create_task(request))
        await asyncio.sleep(0.01)
    return tasks


def test_requests_that_wait_while_a_batch_runs_are_the_next_batch() -> None:
    async def work(network: Network) -> None:
        batcher = Batcher(network.predict, limits(), Metrics())
        tasks = await started(*(batcher.run(image(n, n)) for n in (1, 2, 3)))
        network.go.set()
        answers = await asyncio.gather(*tasks)
        assert network.batches == [1, 5]
        for n, (first, second) in zip((1, 2, 3), answers, strict=True):
            assert first.tolist() == [[n]] * n
            assert second.tolist() == [[2 * n]] * n
        batcher.close()

    run(work)


def test_free_threads_share_the_waiting_requests() -> None:
    async def work(network: Network) -> None:
        batcher = Batcher(network.predict, limits(threads=2), Metrics())
        network.go.set()
        await asyncio.gather(*(batcher.run(image(0)) for _ in range(6)))
        assert sorted(network.batches) == [3, 3]
        batcher.close()

    run(work)


def test_a_request_beyond_a_full_queue_is_refused_at_once() -> None:
    async def work(network: Network) -> None:
        batcher = Batcher(network.predict, limits(max_waiting=2), Metrics())
        tasks = await started(*(batcher.run(image(n)) for n in range(3)))
        with pytest.raises(BusyError, match="2 requests are waiting"):
            await batcher.run(image(0))
        network.go.set()
        await asyncio.gather(*tasks)
        batcher.close()

    run(work)


def test_only_a_request_that_waits_too_long_is_refused() -> None:
    async def work(network: Network) -> None:
        batcher = Batcher(network.predict, limits(max_wait_s=0.05), Metrics())
        first, late = await started(batcher.run(image(1)), batcher.run(image(2)))
        await asyncio.sleep(0.1)
        network.go.set()
        await first
        with pytest.raises(BusyError, match="too long"):
            await late
        assert (await batcher.run(image(3)))[0].tolist() == [[3]]
        batcher.close()

    run(work)


def test_a_failing_batch_fails_only_its_own_requests() -> None:
    async def work(network: Network) -> None:
        batcher = Batcher(network.predict, limits(), Metrics())
        network.go.set()
        with pytest.raises(ValueError, match="nine"):
            await batcher.run(image(9))
        assert (await batcher.run(image(1)))[0].tolist() == [[1]]
        batcher.close()

    run(work)


def test_a_cancelled_request_is_not_computed() -> None:
    async def work(network: Network) -> None:
        batcher = Batcher(network.predict, limits(), Metrics())
        first, gone, last = await started(*(batcher.run(image(n)) for n in (1, 2, 3)))
        gone.cancel()
        await asyncio.sleep(0.01)
        network.go.set()
        await asyncio.gather(first, last)
        assert network.batches == [1, 1]
        batcher.close()

    run(work)


def test_a_pool_has_a_bounded_queue_and_a_bounded_wait() -> None:
    async def work(network: Network) -> None:
        pool = Pool(limits(max_waiting=1, max_wait_s=0.05), Metrics())
        first, late = await started(*(pool.run(network.go.wait, 30) for _ in range(2)))
        with pytest.raises(BusyError, match="1 requests are waiting"):
            await pool.run(int)
        await asyncio.sleep(0.1)
        network.go.set()
        assert await first
        with pytest.raises(BusyError, match="too long"):
            await late
        assert await pool.run(int, "7") == 7
        pool.close()

    run(work)
