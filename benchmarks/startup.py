"""Measure how long a user waits for imports and `--help`, as whole processes.

    python benchmarks/startup.py > benchmarks/results/startup.json

The commands run in turn, A B C A B C ..., after one round of warm-up that is not timed. The last
line of standard output is one JSON object with the median, minimum and maximum of each in seconds.
`python -c pass` is what Python itself takes.
"""

import sys
from functools import partial

from processes import run
from record import print_result
from timing import in_turn, summary

RUNS = 15
PYTHON = sys.executable
COMMANDS = {
    "python -c pass": [PYTHON, "-c", "pass"],
    "import cnn_mnist": [PYTHON, "-c", "import cnn_mnist"],
    "import cnn_mnist.inference.model": [PYTHON, "-c", "import cnn_mnist.inference.model"],
    "import cnn_mnist.training.loop": [PYTHON, "-c", "import cnn_mnist.training.loop"],
    "cnn-mnist --help": [PYTHON, "-m", "cnn_mnist", "--help"],
    "cnn-mnist train --help": [PYTHON, "-m", "cnn_mnist", "train", "--help"],
}


def main() -> None:
    """Measure and print."""
    processes = {name: partial(run, command) for name, command in COMMANDS.items()}
    times = in_turn(processes, rounds=RUNS)
    print_result({"runs": RUNS, **{name: summary(values) for name, values in times.items()}})


if __name__ == "__main__":
    main()
