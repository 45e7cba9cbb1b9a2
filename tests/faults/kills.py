"""Kill trainings at any moment with SIGKILL: nothing must be lost but steps.

After every kill the newest checkpoint must be whole, without a warning, and no more than one
checkpoint interval behind the last step. When a run has come to its end, its weights and its
optimizer's state must be those of an undisturbed run.
"""

import os
import random
import shutil
import signal
import time
import warnings
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from cnn_mnist.data.dataset import Dataset
from cnn_mnist.runs.checkpoint import newest
from cnn_mnist.runs.identity import read_identity
from cnn_mnist.runs.run import Run

from .forked_training import (
    HUNG,
    RECIPE,
    Training,
    final_hashes,
    start_training,
    undisturbed_hashes,
)
from .inject import at_disk_operation, kill_process


def campaign(
    folder: Path,
    dataset: Dataset,
    *,
    workers: int,
    at_random: int,
    aimed: int,
    limit_s: float = 1200,
) -> dict[str, Any]:
    """Kill trainings at random moments and at each disk operation in turn; count the failures.

    Args:
        folder: an empty one.
        dataset: trained on.
        workers: processes of each training.
        at_random: how many to kill at random moments.
        aimed: how many to kill at a disk operation.
        limit_s: after this time only the last run is finished.
    """
    until = time.monotonic() + limit_s
    draw = random.Random(0)
    expected = undisturbed_hashes(folder / "alone", dataset, workers=workers)
    counts: Counter[str] = Counter()
    most_redone = 0
    run_dir = folder / "killed"
    operation = 0
    while time.monotonic() < until:
        shares = counts["killed_at_random"] / at_random, counts["killed_at_aim"] / aimed
        if min(shares) >= 1:
            break
        if shares[0] <= shares[1]:
            training = start_training(run_dir, dataset, workers=workers)
            _kill_at_random(training, draw)
            kind = "killed_at_random"
        else:
            operation += 1
            prepare = partial(at_disk_operation, operation, kill_process)
            training = start_training(run_dir, dataset, workers=workers, prepare=prepare)
            kind = "killed_at_aim"
        codes = training.wait()
        if HUNG in codes:
            counts["hung"] += 1
        elif -signal.SIGKILL in codes:
            counts[kind] += 1
            redone = _steps_to_redo(run_dir, training)
            most_redone = max(most_redone, redone or 0)
            counts["not_loadable"] += redone is None
            if counts[kind] % 50 == 0:
                print(f"{kind}: {counts[kind]}", flush=True)
        elif all(code == 0 for code in codes):
            counts["runs_finished"] += 1
            counts["other_weights"] += final_hashes(run_dir) != expected
            shutil.rmtree(run_dir)
        else:
            counts["other_ends"] += 1
    if run_dir.exists():  # finish the last run undisturbed
        counts["other_ends"] += any(start_training(run_dir, dataset, workers=workers).wait())
        counts["runs_finished"] += 1
        counts["other_weights"] += final_hashes(run_dir) != expected
    names = ("killed_at_random", "killed_at_aim", "runs_finished")
    failures = ("not_loadable", "other_weights", "other_ends", "hung")
    return {
        "workers": workers,
        **{name: counts[name] for name in (*names, *failures)},
        "most_steps_redone": most_redone,
        "checkpoint_every": RECIPE.checkpoint_every,
        "sha256": expected[0],
    }


def _kill_at_random(training: Training, draw: random.Random) -> None:
    """Kill all processes, or one of several, within 30 steps; one in five before the first step."""
    if draw.random() < 0.2:
        time.sleep(draw.uniform(0, 0.5))
    else:
        steps = draw.randrange(30)
        while not (training.progress.reached(steps) or training.has_ended()):
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.1))
    victim = draw.choice([None, *training.pids]) if len(training.pids) > 1 else None
    for pid in [victim] if victim else training.pids:
        os.kill(pid, signal.SIGKILL)


def _steps_to_redo(run_dir: Path, training: Training) -> int | None:
    """Return how many steps were lost; None if the run cannot be continued."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            read_identity(Run(run_dir))
            checkpoint = newest(Run(run_dir).checkpoints)
        except Exception as error:
            print(f"{run_dir} cannot be continued: {error!r}")
            return None
    return max(0, training.progress.newest - (checkpoint.step if checkpoint else 0))
