"""Make the system refuse: a full disk, a read-only directory, a clock set back, a second run.

Each training meets its fault at another disk operation. It must end with one of the package's own
errors, or finish; and the run must continue from there, without the fault, to the weights of an
undisturbed run.
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

from cnn_mnist.data.dataset import Dataset
from cnn_mnist.errors import CnnMnistError, RunError
from cnn_mnist.runs.lock import locked
from cnn_mnist.runs.run import Run

from .forked_training import final_hashes, start_training, undisturbed_hashes
from .inject import at_disk_operation, raise_os_error

FAULTS: dict[str, Callable[[int], Callable[[], None]]] = {
    "disk full once": lambda n: partial(at_disk_operation, n, raise_os_error(errno.ENOSPC)),
    "disk full from then on": lambda n: partial(
        at_disk_operation, n, raise_os_error(errno.ENOSPC), ever_after=True
    ),
    "read-only from then on": lambda n: partial(
        at_disk_operation, n, raise_os_error(errno.EROFS), ever_after=True
    ),
    "clock set back": lambda n: _set_clock_back,
}


def campaign(folder: Path, dataset: Dataset, *, each: int) -> dict[str, Any]:
    """Start so many trainings with each fault; count how they end."""
    expected = undisturbed_hashes(folder / "alone", dataset)
    results = {}
    for name, fault in FAULTS.items():
        counts: Counter[str] = Counter()
        for number in range(1, each + 1):
            run_dir = folder / "refused"
            codes = start_training(run_dir, dataset, prepare=fault(number)).wait()
            error = folder / f"{run_dir.name}.error"
            known = codes == [0] or (codes == [CnnMnistError.exit_code] and error.stat().st_size)
            counts["refused" if any(codes) else "finished"] += 1
            counts["other_ends"] += not known
            counts["cannot_go_on"] += any(start_training(run_dir, dataset).wait())
            counts["other_weights"] += final_hashes(run_dir) != expected
            shutil.rmtree(run_dir)
            error.unlink(missing_ok=True)
        names = ("refused", "finished", "other_ends", "cannot_go_on", "other_weights")
        results[name] = {key: counts[key] for key in names}
    return results | {"a second run": _second_run(folder / "twice", dataset)}


def _set_clock_back() -> None:
    """From now on, set the clock back by a day each time it is read."""
    days = itertools.count()
    now = time.time()
    time.time = lambda: now - 86_400 * next(days)
    time.time_ns = lambda: int(time.time() * 1e9)


def _second_run(run_dir: Path, dataset: Dataset) -> dict[str, Any]:
    """Train a run that is already being trained; kill the first training, and train again."""
    first = start_training(run_dir, dataset)
    (holder,) = first.pids
    while first.progress.newest < 1:
        time.sleep(0.001)
    refused = ""
    try:
        with locked(run_dir):
            pass
    except RunError as error:
        refused = str(error)
    second = start_training(run_dir, dataset).wait()
    first.kill()
    first.wait()
    third = start_training(run_dir, dataset).wait()
    return {
        "names_its_holder": f"process {holder} on {os.uname().nodename}" in refused,
        "second_refused": second == [RunError.exit_code],
        "goes_on_after_the_holder_was_killed": third == [0] and not (run_dir / ".lock").exists(),
        "checkpoints": len(list(Run(run_dir).checkpoints.iterdir())),
    }
