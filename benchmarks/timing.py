"""What the measurements share: things timed in turn, processes run, memory looked up.

In turn is A B A B ..., so that what else a machine does hits all of them alike. Apart is in a
process each, so that what one library keeps - memory, threads - is not there for the next.
"""

import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")


def in_turn(
    things: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    warm_up: int = 1,
    pause_s: float = 0.0,
) -> dict[str, list[float]]:
    """Wall time in seconds of each call, `rounds` of each; those of the warm-up are not kept.

    Before each call is a pause, in which threads that spin for more work give up their cores.
    """
    times: dict[str, list[float]] = {name: [] for name in things}
    for round_number in range(warm_up + rounds):
        for name, thing in things.items():
            time.sleep(pause_s)
            began = time.perf_counter()
            thing()
            if round_number >= warm_up:
                times[name].append(time.perf_counter() - began)
    return times


@contextmanager
def apart(
    things: Mapping[str, Callable[..., Result]],
) -> Iterator[dict[str, Callable[..., Result]]]:
    """The same functions, of a module's top level, each in a process of its own that stays."""
    with ExitStack() as stack:
        called: dict[str, Callable[..., Result]] = {}
        for name, thing in things.items():
            pool = stack.enter_context(ProcessPoolExecutor(1, get_context("spawn")))
            called[name] = lambda *values, pool=pool, thing=thing: pool.submit(  # type: ignore[misc]
                thing, *values
            ).result()
        yield called


def summary(seconds: list[float]) -> dict[str, float]:
    """Median, minimum and maximum."""
    return {"median_s": statistics.median(seconds), "min_s": min(seconds), "max_s": max(seconds)}


def run(command: Sequence[str]) -> None:
    """One process; what it prints is dropped."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def peak_mb(pid: int | str = "self") -> float:
    """The most memory that a process has held, in MiB, on Linux; 0 where it has just ended.

    `getrusage` would count the parent's too: its figure is handed down when a process is started.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    _, found, rest = status.partition("VmHWM:")
    return int(rest.split()[0]) / 1024 if found else 0.0
