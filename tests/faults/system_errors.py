"""A system that refuses: a full disk, a directory made read-only, a clock set back, a second run.

Each life meets its fault at another touch of the disk. It must end with one of the package's own
errors, or with its work done; and the run must go on from there, without the fault, to the weights
of the run left alone.
"""

import errno
import itertools
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.faults import aims
from benchmarks.faults.lives import live, result, undisturbed
from cnn_mnist.lock import locked
from cnn_mnist.run import Run

from cnn_mnist.data.dataset import Dataset
from cnn_mnist.errors import CnnMnistError, RunError

FAULTS: dict[str, Callable[[int], Callable[[], None]]] = {
    "disk full once": lambda n: partial(aims.at, n, aims.fail(errno.ENOSPC)),
    "disk full from then on": lambda n: partial(
        aims.at, n, aims.fail(errno.ENOSPC), ever_after=True
    ),
    "read-only from then on": lambda n: partial(
        aims.at, n, aims.fail(errno.EROFS), ever_after=True
    ),
    "clock set back": lambda n: _set_clock_back,
}


def campaign(folder: Path, dataset: Dataset, *, each: int) -> dict[str, Any]:
    """So many lives with each fault; count their ends."""
    alone = undisturbed(folder / "alone", dataset)
    results = {}
    for name, fault in FAULTS.items():
        counts: Counter[str] = Counter()
        for number in range(1, each + 1):
            run_dir = folder / "refused"
            codes = live(run_dir, dataset, prepare=fault(number)).end()
            error = folder / f"{run_dir.name}.error"
            known = codes == [0] or (codes == [CnnMnistError.exit_code] and error.stat().st_size)
            counts["refused" if any(codes) else "finished"] += 1
            counts["other_ends"] += not known
            counts["cannot_go_on"] += any(live(run_dir, dataset).end())
            counts["other_weights"] += result(run_dir) != alone
            shutil.rmtree(run_dir)
            error.unlink(missing_ok=True)
        names = ("refused", "finished", "other_ends", "cannot_go_on", "other_weights")
        results[name] = {key: counts[key] for key in names}
    return results | {"a second run": _second_run(folder / "twice", dataset)}


def _set_clock_back() -> None:
    """From now on each look at the clock is a day before the last one."""
    days = itertools.count()
    now = time.time()
    time.time = lambda: now - 86_400 * next(days)
    time.time_ns = lambda: int(time.time() * 1e9)


def _second_run(run_dir: Path, dataset: Dataset) -> dict[str, Any]:
    """Begin a run where one goes on already; kill the first, and begin again."""
    first = live(run_dir, dataset)
    (holder,) = first.pids
    while first.progress.newest < 1:
        time.sleep(0.001)
    refused = ""
    try:
        with locked(run_dir):
            pass
    except RunError as error:
        refused = str(error)
    second = live(run_dir, dataset).end()
    first.kill()
    first.end()
    third = live(run_dir, dataset).end()
    return {
        "names_its_holder": f"process {holder} on {os.uname().nodename}" in refused,
        "second_refused": second == [RunError.exit_code],
        "goes_on_after_the_holder_was_killed": third == [0] and not (run_dir / ".lock").exists(),
        "checkpoints": len(list(Run(run_dir).checkpoints.iterdir())),
    }
