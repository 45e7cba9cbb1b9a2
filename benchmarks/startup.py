"""How long a user waits before anything happens: imports and help, as whole processes.

    python benchmarks/startup.py > benchmarks/results/startup.json

The commands run in turn, A B C A B C ..., after one round of warm-up that is not counted; the last
line of standard output is one JSON object with the median, minimum and maximum of each in seconds.
`python -c pass` is the floor that all of them stand on.
"""

import json
import sys
from functools import partial

from timing import in_turn, run, summary

from cnn_mnist.machine import machine, versions

RUNS = 15
PYTHON = sys.executable
COMMANDS = {
    "python -c pass": [PYTHON, "-c", "pass"],
    "import cnn_mnist": [PYTHON, "-c", "import cnn_mnist"],
    "import cnn_mnist.infer": [PYTHON, "-c", "import cnn_mnist.infer"],
    "import cnn_mnist.train": [PYTHON, "-c", "import cnn_mnist.train"],
    "cnn-mnist --help": [PYTHON, "-m", "cnn_mnist", "--help"],
    "cnn-mnist train --help": [PYTHON, "-m", "cnn_mnist", "train", "--help"],
}


def main() -> None:
    """Measure and print."""
    processes = {name: partial(run, command) for name, command in COMMANDS.items()}
    times = in_turn(processes, rounds=RUNS)
    result = {name: summary(values) for name, values in times.items()}
    print(json.dumps({"runs": RUNS, **result, "versions": versions(), "machine": machine()}))


if __name__ == "__main__":
    main()
