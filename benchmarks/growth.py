"""Whether memory stays flat and time in proportion as the work grows.

    CNN_MNIST_DATA=... python benchmarks/growth.py > benchmarks/results/growth.json

`cnn-mnist predict --csv` of an IDX file of 10,000, 100,000 and 1,000,000 images, and of a folder of
1,000 and 10,000 pictures; `cnn-mnist train` to step 100, 400 and 1,600. Each is a process of its
own; its memory is the peak of its resident set, looked at while it runs. The last line of standard
output is one JSON object. Runs on Linux.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from timing import peak_mb

from cnn_mnist import load
from cnn_mnist.data import idx
from cnn_mnist.machine import machine, versions

IMAGES = (10_000, 100_000, 1_000_000)
PICTURES = (1_000, 10_000)
STEPS = (100, 400, 1_600)
COMMAND = [sys.executable, "-m", "cnn_mnist"]


def measured(command: list[str]) -> dict[str, float]:
    """Seconds and peak memory in MiB of a process."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, peak_mb(process.pid))
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
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
            result["images"][count] = measured([*COMMAND, "predict", "--csv", os.fspath(array)])
            array.unlink()
        pictures = folder / "pictures"
        pictures.mkdir()
        for count in PICTURES:
            for number in range(count):
                picture = Image.fromarray(images[number % len(images)]).resize((84, 84))
                picture.save(pictures / f"{number}.png", compress_level=1)
            result["pictures"][count] = measured(
                [*COMMAND, "predict", "--csv", os.fspath(pictures)]
            )
        for steps in STEPS:
            run = ["train", "--steps", str(steps), "--run-dir", os.fspath(folder / f"run-{steps}")]
            result["steps"][steps] = measured([*COMMAND, *run])
    print(json.dumps(result | {"versions": versions(), "machine": machine()}))


if __name__ == "__main__":
    main()
