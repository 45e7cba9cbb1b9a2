"""Time functions in turn, each in a process of its own if need be.

In turn means A B A B ..., so that other load on the machine slows all of them alike. In a process
of its own, a function does not meet the threads and the memory that another library keeps.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from typing import TypeVar

Result = TypeVar("Result")


def in_turn(
    functions: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    warm_up: int = 1,
    pause_s: float = 0.0,
) -> dict[str, list[float]]:
    """Time functions in turn.

    Args:
        functions: by name.
        rounds: timed calls of each function.
        warm_up: calls of each function before those, which are not timed.
        pause_s: pause before each call, in which threads that wait busily give up their cores.

    Returns:
        The wall time of each timed call in seconds, by name.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for round_number in range(warm_up + rounds):
        for name, function in functions.items():
            time.sleep(pause_s)
            began = time.perf_counter()
            function()
            if round_number >= warm_up:
                times[name].append(time.perf_counter() - began)
    return times


@contextmanager
def in_own_processes(
    functions: Mapping[str, Callable[..., Result]],
) -> Iterator[dict[str, Callable[..., Result]]]:
    """Give functions that run in processes of their own, one for each, kept between calls.

    Args:
        functions: by name; each from the top level of a module.
    """
    with ExitStack() as stack:
        remote: dict[str, Callable[..., Result]] = {}
        for name, function in functions.items():
            pool = stack.enter_context(ProcessPoolExecutor(1, get_context("spawn")))
            remote[name] = lambda *values, pool=pool, function=function: pool.submit(  # type: ignore[misc]
                function, *values
            ).result()
        yield remote


def summary(seconds: list[float]) -> dict[str, float]:
    """Return the median, minimum and maximum of some times."""
    return {"median_s": statistics.median(seconds), "min_s": min(seconds), "max_s": max(seconds)}
