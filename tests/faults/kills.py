"""SIGKILL at any moment: what is there afterwards can be gone on with; nothing is lost but steps.

After every kill the run directory is looked at: its newest checkpoint must be whole, without a
warning, and no more than one checkpoint interval behind the last step that was done. When a run has
come to its end its weights and its optimizer's state must be those of the run left alone.
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

from benchmarks.faults import aims
from benchmarks.faults.lives import HUNG, RECIPE, Life, live, result, undisturbed
from cnn_mnist.checkpoint import newest
from cnn_mnist.run import Run, read_identity

from cnn_mnist.data.dataset import Dataset


def campaign(
    folder: Path,
    dataset: Dataset,
    *,
    workers: int,
    at_random: int,
    aimed: int,
    limit_s: float = 1200,
) -> dict[str, Any]:
    """Kill so many lives at random moments and at each touch of the disk in turn; count.

    After `limit_s` no further life begins but the last one.
    """
    until = time.monotonic() + limit_s
    draw = random.Random(0)
    alone = undisturbed(folder / "alone", dataset, workers=workers)
    counts: Counter[str] = Counter()
    worst = 0
    run_dir = folder / "killed"
    aim = 0
    while time.monotonic() < until:
        shares = counts["killed_at_random"] / at_random, counts["killed_at_aim"] / aimed
        if min(shares) >= 1:
            break
        if shares[0] <= shares[1]:
            life = live(run_dir, dataset, workers=workers)
            _kill_at_random(life, draw)
            kind = "killed_at_random"
        else:
            aim += 1
            dying = partial(aims.at, aim, aims.die)
            life = live(run_dir, dataset, workers=workers, prepare=dying)
            kind = "killed_at_aim"
        codes = life.end()
        if HUNG in codes:
            counts["hung"] += 1
        elif -signal.SIGKILL in codes:
            counts[kind] += 1
            redone = _behind(run_dir, life)
            worst = max(worst, redone if redone is not None else 0)
            counts["not_loadable"] += redone is None
            if counts[kind] % 50 == 0:
                print(f"{kind}: {counts[kind]}", flush=True)
        elif all(code == 0 for code in codes):
            counts["runs_finished"] += 1
            counts["other_weights"] += result(run_dir) != alone
            shutil.rmtree(run_dir)
        else:
            counts["other_ends"] += 1
    if run_dir.exists():  # the last one is left alone, to its end
        counts["other_ends"] += any(live(run_dir, dataset, workers=workers).end())
        counts["runs_finished"] += 1
        counts["other_weights"] += result(run_dir) != alone
    names = ("killed_at_random", "killed_at_aim", "runs_finished")
    bad = ("not_loadable", "other_weights", "other_ends", "hung")
    return {
        "workers": workers,
        **{name: counts[name] for name in (*names, *bad)},
        "most_steps_redone": worst,
        "checkpoint_every": RECIPE.checkpoint_every,
        "sha256": alone[0],
    }


def _kill_at_random(life: Life, draw: random.Random) -> None:
    """Up to 30 steps from its beginning or, one in five, before: all processes, or only one."""
    if draw.random() < 0.2:
        time.sleep(draw.uniform(0, 0.5))
    else:
        steps = draw.randrange(30)
        while not (life.progress.reached(steps) or life.has_ended()):
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.1))
    victim = draw.choice([None, *life.pids]) if len(life.pids) > 1 else None
    for pid in [victim] if victim else life.pids:
        os.kill(pid, signal.SIGKILL)


def _behind(run_dir: Path, life: Life) -> int | None:
    """Steps that will be done again; None where there is nothing to go on with."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            read_identity(Run(run_dir))
            checkpoint = newest(Run(run_dir).checkpoints)
        except Exception as error:
            print(f"{run_dir} cannot be gone on with: {error!r}")
            return None
    return max(0, life.progress.newest - (checkpoint.step if checkpoint else 0))
