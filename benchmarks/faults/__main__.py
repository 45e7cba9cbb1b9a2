"""The fault campaign: everything that is done to a run, and what came of it.

    python -m benchmarks.faults > benchmarks/results/faults.json

It takes about half an hour on two cores, and ends after `--minutes` at the latest. `--parts` does
some of it. With TMPDIR on a disk in memory it is faster: a process that is killed leaves the same
there. The last line of standard output is one JSON object; each miss is printed before it.
"""

import argparse
import json
import signal
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.faults import agents, damage, disk, kills, refusals, scale
from benchmarks.faults.lives import RECIPE, digits
from cnn_mnist.checkpoint import Checkpoint
from cnn_mnist.data.dataset import Dataset
from cnn_mnist.machine import machine, versions
from cnn_mnist.train import Trainer

Part = Callable[[Path, Dataset], Any]

PARTS: dict[str, Part] = {
    "kills, 1 process": lambda folder, data: kills.campaign(
        folder, data, workers=1, at_random=200, aimed=100
    ),
    "kills, 2 processes": lambda folder, data: kills.campaign(
        folder, data, workers=2, at_random=200, aimed=100
    ),
    "damage": lambda folder, data: damage.campaign(folder, data, cuts=20, flips=50),
    "power cuts": lambda folder, data: disk.campaign(folder, _checkpoints(data), draws=100),
    "refusals": lambda folder, data: refusals.campaign(folder, data, each=30),
    "agents": lambda folder, data: agents.campaign(folder),
    "difference": lambda folder, data: [
        scale.difference(folder, data, network=network, steps=200) for network in ("cnn", "softmax")
    ],
    "speed": lambda folder, data: scale.speed(folder, steps=60, rounds=5),
}


def _checkpoints(dataset: Dataset) -> list[Checkpoint]:
    """Four small ones."""
    recipe = replace(RECIPE, network="softmax")
    trainer = Trainer(recipe, dataset.train, dataset.classes, seed=0, device="cpu")
    states = []
    for _ in range(4):
        trainer.advance()
        states.append(trainer.checkpoint())
    return states


def main() -> None:
    """Do the parts in turn, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--minutes", type=int, default=60, help="end after them, whatever is left")
    arguments = parser.parse_args()
    signal.alarm(60 * arguments.minutes)
    dataset = digits()
    results = {}
    for name in arguments.parts:
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            results[name] = PARTS[name](Path(folder), dataset)
            print(f"{name}: {json.dumps(results[name])}", flush=True)
    print(json.dumps(results | {"versions": versions(), "machine": machine()}))


if __name__ == "__main__":
    main()
