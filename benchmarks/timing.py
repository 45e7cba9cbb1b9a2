"""Things timed in turn, A B A B ..., so that what else a machine does hits all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping


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


def summary(seconds: list[float]) -> dict[str, float]:
    """Median, minimum and maximum."""
    return {"median_s": statistics.median(seconds), "min_s": min(seconds), "max_s": max(seconds)}
