"""Compare training several seeds at a time with training one after the other.

    CNN_MNIST_DATA=... python benchmarks/trials.py > benchmarks/results/trials.json

`cnn-mnist trials` of two seeds, 300 steps of the tutorial's network, as whole processes: with one
process on all cores, and with two that share them, in turn, A B A B ... The last line of standard
output is one JSON object.
"""

import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from record import print_result
from timing import in_turn, summary

ROUNDS, STEPS, SEEDS = 5, 300, 2


def run(processes: int) -> None:
    """Train all seeds in a new folder."""
    command = [sys.executable, "-m", "cnn_mnist", "trials", "--processes", str(processes)]
    with tempfile.TemporaryDirectory() as folder:
        command += ["--n", str(SEEDS), "--steps", str(STEPS), "--run-dir", str(Path(folder))]
        subprocess.run(command, check=True, capture_output=True)


def main() -> None:
    """Measure and print."""
    times = in_turn(
        {f"{count} at a time": partial(run, count) for count in (1, SEEDS)},
        rounds=ROUNDS,
        warm_up=0,
    )
    one, all_ = (statistics.median(values) for values in times.values())
    result = {name: summary(values) for name, values in times.items()}
    result |= {"rounds": ROUNDS, "steps": STEPS, "seeds": SEEDS, "times_as_fast": one / all_}
    print_result(result)


if __name__ == "__main__":
    main()
