"""Measure what the reading of a picture costs: time, memory, the size of the models.

Each measurement is a process of its own, which runs this file: other libraries' threads and memory
do not count. Linux only.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from answers import ink_stroke
from PIL import Image, ImageDraw
from processes import peak_mb, run
from timing import in_turn, summary

import cnn_mnist
from cnn_mnist import Model, read

SEED = 1
LARGE_READINGS = 9
COLD_STARTS = 15


def speed(model: Path, pictures: Sequence[Path]) -> dict[str, Any]:
    """Measure small pictures, a large one, the start of `predict`, and the models' size.

    Args:
        model: the model file that reads.
        pictures: the small ones.
    """
    names = "\n".join(map(str, pictures)).encode()
    models = {path.name: path.stat().st_size for path in _models()}
    return {
        "small": {"n": len(pictures), **_in_process(model, "small", content=names)},
        "jpeg_12_megapixels": _in_process(model, "large", content=large_jpeg()),
        "cold_start": cold_start(),
        "models": {"size_bytes": sum(models.values()), "by_file": models},
    }


def large_jpeg() -> bytes:
    """Return a 4000x3000 JPEG: a row of drawn digits on unevenly lit, grainy paper."""
    x, y = np.meshgrid(np.linspace(0, 1, 4000), np.linspace(0, 1, 3000))
    grain = np.random.default_rng(SEED).normal(0, 4, x.shape)
    page = Image.fromarray(np.clip(230 - 70 * x * y + grain, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(page)
    for left in (600, 1300, 2000, 2700):
        draw.line([(left, 1100), (left + 400, 1100), (left + 150, 1900)], 40, 50, joint="curve")
    stream = BytesIO()
    page.convert("RGB").save(stream, "JPEG", quality=90)
    return stream.getvalue()


def cold_start() -> dict[str, float]:
    """Time whole processes `cnn-mnist predict` that read one small picture."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "1.png"
        picture.write_bytes(ink_stroke())
        command = [sys.executable, "-m", "cnn_mnist", "predict", str(picture)]
        return summary(in_turn({"": partial(run, command)}, rounds=COLD_STARTS)[""])


def _models() -> list[Path]:
    """Return every model that the package ships."""
    return sorted(Path(cnn_mnist.__file__).parent.rglob("*.onnx"))


def _in_process(model: Path, *arguments: str, content: bytes) -> dict[str, Any]:
    """Run this file with some standard input and return what it prints."""
    command = [sys.executable, __file__, str(model), *arguments]
    done = subprocess.run(command, input=content, check=True, stdout=subprocess.PIPE)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def read_small(model: Model, pictures: Sequence[Path]) -> dict[str, float]:
    """Read each picture once, and return the processor time of a picture in milliseconds."""
    for picture in pictures[:20]:
        read(picture, model)  # warm-up
    times_ms = []
    for picture in pictures:
        began = time.process_time()
        read(picture, model)
        times_ms.append(1000 * (time.process_time() - began))
    return {
        "processor_median_ms": statistics.median(times_ms),
        "processor_mean_ms": statistics.mean(times_ms),
        "processor_max_ms": max(times_ms),
    }


def read_large(model: Model, content: bytes) -> dict[str, Any]:
    """Read a file several times, and return time and memory."""
    times_s, processor_s = [], []
    for _ in range(LARGE_READINGS):
        began, processor = time.perf_counter(), time.process_time()
        reading = read(content, model)
        times_s.append(time.perf_counter() - began)
        processor_s.append(time.process_time() - processor)
    return {
        "text": reading.text,
        "median_s": statistics.median(times_s),
        "min_s": min(times_s),
        "processor_median_s": statistics.median(processor_s),
        "peak_mb": peak_mb(),
    }


def main() -> None:
    """Measure what standard input holds: paths of small pictures, or the large one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("pictures", choices=["small", "large"])
    options = parser.parse_args()
    content = sys.stdin.buffer.read()
    model = Model(options.model, threads=1)  # as the command opens it
    read(ink_stroke(), model)  # opens every model
    if options.pictures == "large":
        print(json.dumps(read_large(model, content)))
    else:
        files = [Path(name) for name in content.decode().split("\n")]
        print(json.dumps(read_small(model, files)))


if __name__ == "__main__":
    main()
