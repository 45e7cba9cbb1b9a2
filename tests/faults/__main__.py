"""Run the fault campaign: disturb training runs in every way, and count what goes wrong.

    python -m tests.faults --results benchmarks/results/faults.json

Each part is written to the file as soon as it is done, and a part that is already in the file is
not repeated, so that the same command continues after an interruption. It takes about an hour on
two idle cores, needs MNIST for its last part, and begins no part after `--minutes`. With TMPDIR on
a disk in memory it is faster; what a killed process leaves behind is the same there. `--short` is
the form for the tests. The last line of standard output is one JSON object; each failure is printed
to standard error.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from cnn_mnist.data.dataset import Dataset
from cnn_mnist.machine import machine, versions
from cnn_mnist.runs.checkpoint import Checkpoint
from cnn_mnist.training.trainer import Trainer

from . import damage, kills, power_cuts, system_errors, torchrun, two_processes
from .forked_training import RECIPE, load_digits

Part = Callable[[Path, Dataset], Any]

PARTS: dict[str, Part] = {
    "kills, 1 process": partial(kills.campaign, workers=1, at_random=200, aimed=100),
    "kills, 2 processes": partial(kills.campaign, workers=2, at_random=200, aimed=100),
    "damage": partial(damage.campaign, cuts=20, flips=50),
    "power cuts": lambda folder, data: power_cuts.campaign(folder, _checkpoints(data), draws=100),
    "refusals": partial(system_errors.campaign, each=30),
    "restarts": partial(torchrun.restarts, steps=20_000),
    "agents": torchrun.campaign,
    "difference, cnn": partial(two_processes.difference, network="cnn", steps=200),
    "difference, softmax": partial(two_processes.difference, network="softmax", steps=200),
    "speed": lambda folder, data: two_processes.speed(folder, steps=60, rounds=5),
    "tutorial": lambda folder, data: two_processes.tutorial(folder),
}

SHORT: dict[str, Part] = {
    "kills, 1 process": partial(kills.campaign, workers=1, at_random=4, aimed=6),
    "kills, 2 processes": partial(kills.campaign, workers=2, at_random=3, aimed=3),
    "damage": partial(damage.campaign, cuts=3, flips=4),
    "power cuts": lambda folder, data: power_cuts.campaign(folder, _checkpoints(data), draws=4),
    "refusals": partial(system_errors.campaign, each=2),
    "difference, softmax": partial(two_processes.difference, network="softmax", steps=50),
}


def _checkpoints(dataset: Dataset) -> list[Checkpoint]:
    """Return four small checkpoints of one run."""
    recipe = replace(RECIPE, network="softmax")
    trainer = Trainer(recipe, dataset.train, dataset.classes, seed=0, device="cpu")
    states = []
    for _ in range(4):
        trainer.advance()
        states.append(trainer.checkpoint())
    return states


def main() -> None:
    """Run the parts in turn, write and print their results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, help="JSON file; parts in it are not repeated")
    parser.add_argument("--minutes", type=float, default=60, help="begin no part after them")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), help="only these")
    parser.add_argument("--short", action="store_true", help="a few repetitions of each fault")
    arguments = parser.parse_args()
    until = time.monotonic() + 60 * arguments.minutes
    parts = SHORT if arguments.short else PARTS
    results: dict[str, Any] = {"versions": versions(), "machine": machine()}
    if arguments.results and arguments.results.exists():
        results = json.loads(arguments.results.read_text(encoding="utf-8"))
    dataset = load_digits()
    for name in arguments.parts or parts:
        if name in results or time.monotonic() > until:
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="faults-") as folder, redirect_stdout(sys.stderr):
            results[name] = parts[name](Path(folder), dataset)
        results[name]["seconds"] = round(time.monotonic() - began, 1)
        results[name]["machine"] = machine()
        if arguments.results:
            arguments.results.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
