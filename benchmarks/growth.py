"""Measure time and peak memory as the work grows: time should grow with it, memory should not.

    CNN_MNIST_DATA=... python benchmarks/growth.py > benchmarks/results/growth.json

`cnn-mnist predict --csv` with an IDX file of 10,000, 100,000 and 1,000,000 images, and with a
folder of 1,000 and 10,000 image files; `cnn-mnist train` to step 100, 400 and 1,600. Each is a
process of its own; its memory is its peak resident memory, read while it runs (Linux). The last
line of standard output is one JSON object.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from processes import peak_mb
from record import print_result

from cnn_mnist import load
from cnn_mnist.data import idx

IMAGES = (10_000, 100_000, 1_000_000)
PICTURES = (1_000, 10_000)
STEPS = (100, 400, 1_600)
COMMAND = [sys.executable, "-m", "cnn_mnist"]


def measure(command: list[str]) -> dict[str, float]:
    """Run a command; return its seconds and its peak memory in MiB."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, peak_mb(process.pid))
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"error: {' '.join(command)}: exit code {process.returncode}")
    return {"seconds": time.perf_counter() - began, "peak_mb": peak}


def main() -> None:
    """Measure and print."""
    images = load("auto").test.images
    result: dict[str, dict[int, dict[str, float]]] = {"images": {}, "pictures": {}, "steps": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count in IMAGES:
            array = folder / "images.idx"
            idx.write(array, np.resize(images, (count, 28, 28)))
            result["images"][count] = measure([*COMMAND, "predict", "--csv", os.fspath(array)])
            array.unlink()
        files = folder / "pictures"
        files.mkdir()
        for count in PICTURES:
            for number in range(count):
                picture = Image.fromarray(images[number % len(images)]).resize((84, 84))
                picture.save(files / f"{number}.png", compress_level=1)
            result["pictures"][count] = measure([*COMMAND, "predict", "--csv", os.fspath(files)])
        for steps in STEPS:
            run = ["train", "--steps", str(steps), "--run-dir", os.fspath(folder / f"run-{steps}")]
            result["steps"][steps] = measure([*COMMAND, *run])
    print_result(result)


if __name__ == "__main__":
    main()
