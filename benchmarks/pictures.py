"""Measure how well pictures are read: photographs, non-digits, MNIST as image files, a large JPEG.

    CNN_MNIST_DATA=... python benchmarks/pictures.py > benchmarks/results/pictures.json

The photographs are those of `$CNN_MNIST_DATA/photos` (single.tsv, multi.tsv; see its README): by
condition and by source, with a 95 % interval from resampling whole SOURCES, because pictures by one
writer are alike; compared with the two simpler ways of photographs.py. Non-digits are the MEASURING
family of tools/nondigits.py, which the rejector was not trained on. The last line of standard
output is one JSON object.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from photographs import count_by, photographs
from PIL import Image, ImageDraw, ImageOps
from processes import peak_mb
from record import print_result

from cnn_mnist import Model, Reading, load, read
from cnn_mnist.inference.model import BUNDLED

sys.path.append(str(Path(__file__).parent.parent / "tools"))

from nondigits import MEASURING  # drawn by the code that trains the rejector

SEED = 1
EACH = 100  # non-digits of each kind


def nondigits(model: Model) -> dict[str, Any]:
    """Count, of each kind of non-digit, the pictures in which no digit is read."""
    caught: dict[str, int] = {}
    for kind, draw in MEASURING.items():
        generator = np.random.default_rng(SEED)
        readings = [read(png(draw(generator)), model) for _ in range(EACH)]
        caught[kind] = sum(not reading.text for reading in readings)
    total = len(MEASURING) * EACH
    return {"n": total, "caught": sum(caught.values()) / total, "of_100_by_kind": caught}


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return an image as the bytes of a PNG file."""
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


FORMS: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "as it is": lambda image, _: image,
    "200x200": lambda image, _: image.resize((200, 200), Image.Resampling.BICUBIC),
    "shifted": lambda image, generator: ImageOps.expand(image, 4).crop(
        (lambda x, y: (x, y, x + 28, y + 28))(*generator.integers(1, 8, 2).tolist())
    ),
    "larger canvas": lambda image, generator: _on_canvas(image, *generator.integers(150, size=2)),
}


def _on_canvas(image: Image.Image, left: int, top: int) -> Image.Image:
    canvas = Image.new("L", (240, 240))
    canvas.paste(image.resize((84, 84), Image.Resampling.BICUBIC), (int(left), int(top)))
    return canvas


def round_trip(model: Model, most: int) -> dict[str, Any]:
    """Read MNIST's test images as PNG files, in each form and both polarities in turn."""
    test = load("mnist").test
    images, labels = test.images[:most], test.labels[:most]
    plain = model.classify(images).argmax(axis=1) == labels
    names, generator = list(FORMS), np.random.default_rng(SEED)
    right, refused, forms = [], 0, []
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        form = names[number % len(names)]
        picture = FORMS[form](Image.fromarray(image), generator)
        if number // len(names) % 2:
            picture = ImageOps.invert(picture)
        text = read(png(np.asarray(picture)), model).text
        right.append(text == str(label))
        refused += not text
        forms.append(form)
    return {
        "n": len(images),
        "network_accuracy": float(plain.mean()),
        "accuracy": sum(right) / len(right),
        "points_lost": 100 * (float(plain.mean()) - sum(right) / len(right)),
        "refused": refused / len(right),
        "by_form": count_by(forms, right),
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


def read_large(model_path: Path) -> None:
    """Read the JPEG on standard input several times and print time and memory."""
    content = sys.stdin.buffer.read()
    model = Model(model_path)
    read(png(np.zeros((28, 28), np.uint8)), model)  # start-up
    times_s, cpu_s = [], []
    for _ in range(9):
        began, cpu = time.perf_counter(), time.process_time()
        reading: Reading = read(content, model)
        times_s.append(time.perf_counter() - began)
        cpu_s.append(time.process_time() - cpu)
    result = {
        "text": reading.text,
        "median_s": statistics.median(times_s),
        "min_s": min(times_s),
        "processor_median_s": statistics.median(cpu_s),
        "peak_mb": peak_mb(),
    }
    print(json.dumps(result))


def large(model_path: Path) -> dict[str, Any]:
    """Run `read_large` in a new process and return what it prints."""
    command = [sys.executable, __file__, "--model", str(model_path), "--large"]
    done = subprocess.run(command, input=large_jpeg(), check=True, capture_output=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main(arguments: Iterable[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=BUNDLED, help="the model file that reads")
    parser.add_argument("--mnist", type=int, default=10_000, help="number of MNIST test images")
    parser.add_argument("--large", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.large:
        read_large(options.model)
        return
    model = Model(options.model)
    result = {
        "model": {"name": options.model.name, "metadata": model.metadata},
        **photographs(Path(os.environ["CNN_MNIST_DATA"]) / "photos", model),
        "nondigits": nondigits(model),
        "mnist": round_trip(model, options.mnist),
        "jpeg_12_megapixels": large(options.model),
    }
    print_result(result)


if __name__ == "__main__":
    main()
