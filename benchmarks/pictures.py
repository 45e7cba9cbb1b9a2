"""Measure how well pictures are read: photographs, non-digits, MNIST as image files, a large JPEG.

    CNN_MNIST_DATA=... python benchmarks/pictures.py > benchmarks/results/pictures.json

The photographs are those of `$CNN_MNIST_DATA/photos` (single.tsv, multi.tsv; see its README): by
condition and by source, with a 95 % interval from resampling whole SOURCES, because pictures by one
writer are alike. Compared with two simpler ways: the naive one (grey, inverted if bright, resized
to 28x28), and MNIST's box alone (thresholded, fitted to 20x20, centred). Non-digits are the
MEASURING family of tools/nondigits.py, which the rejector was not trained on. The last line of
standard output is one JSON object.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageOps
from processes import peak_mb
from record import print_result

from cnn_mnist import Model, Reading, load, read
from cnn_mnist.inference.model import BUNDLED
from cnn_mnist.reading.decode import decode
from cnn_mnist.reading.glyph import centred, scaled

sys.path.append(str(Path(__file__).parent.parent / "tools"))

from nondigits import MEASURING  # noqa: E402 - the drawings also train the rejector

SEED = 1
EACH = 100  # non-digits of each kind
Answer = Callable[[Path], str]


def naive_way(path: Path) -> npt.NDArray[np.float32]:
    """Return the image in grey, inverted if bright, resized to 28x28."""
    grey = _grey(path)
    small = np.asarray(
        Image.fromarray(grey).resize((28, 28), Image.Resampling.BILINEAR), np.float32
    )
    return (255 - small if grey.mean() > 127 else small) / 255


def box_way(path: Path) -> npt.NDArray[np.float32]:
    """Return the ink above half of its range, fitted to 20x20, centred by mass in 28x28."""
    grey = _grey(path).astype(np.float32)
    ink = 255 - grey if grey.mean() > 127 else grey
    ink = (ink - ink.min()) / max(np.ptp(ink), 1)
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis=axis)) for axis in (1, 0))
    box = np.where(ink > 0.5, ink, 0)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return centred(scaled(box, 20 / max(box.shape)))


def _grey(path: Path) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.fromarray(decode(path).pixels).convert("L"))


def read_list(folder: Path, name: str) -> list[dict[str, str]]:
    """Read a list of photographs; `file` of each row is its path."""
    with (folder / name).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [row | {"file": str(folder / row["local_file"])} for row in rows]


def score(rows: list[dict[str, str]], answer: Answer) -> dict[str, Any]:
    """Return the share of right answers, its interval, and counts by condition and source."""
    right = [answer(Path(row["file"])) == row["label"] for row in rows]
    sources = [row["owner/repo"] for row in rows]
    conditions = [row["condition"].split(",")[0] for row in rows]
    return {
        "n": len(rows),
        "right": sum(right),
        "accuracy": sum(right) / len(rows),
        "interval": interval(right, sources),
        "by_condition": count_by(conditions, right),
        "by_source": count_by(sources, right),
        "wrong": [
            Path(row["file"]).name for row, fine in zip(rows, right, strict=True) if not fine
        ],
    }


def count_by(keys: list[str], right: list[bool]) -> dict[str, dict[str, int]]:
    """Count how many answers there are for each key, and how many are right."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: {"n": 0, "right": 0})
    for key, fine in zip(keys, right, strict=True):
        found[key]["n"] += 1
        found[key]["right"] += fine
    return dict(sorted(found.items()))


def interval(right: list[bool], sources: list[str]) -> list[float]:
    """Return the 95 % interval of the accuracy from a bootstrap over sources."""
    groups = count_by(sources, right)
    counts = np.array([(group["right"], group["n"]) for group in groups.values()])
    draws = np.random.default_rng(SEED).integers(len(counts), size=(10_000, len(counts)))
    sums = counts[draws].sum(axis=1)
    return [float(end) for end in np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])]


def photographs(folder: Path, model: Model) -> dict[str, Any]:
    """Score the photographs, read by us and in the two simpler ways."""
    single, multi = read_list(folder, "single.tsv"), read_list(folder, "multi.tsv")
    refused = 0

    def ours(path: Path) -> str:
        nonlocal refused
        reading = read(path, model)
        refused += not reading.text
        return reading.text

    def by_network(way: Callable[[Path], npt.NDArray[np.float32]]) -> Answer:
        return lambda path: str(model.classify(way(path)).argmax())

    result = {"single": score(single, ours)}
    return result | {
        "single_refused": refused,
        "multi": score(multi, ours),
        "single_naive": score(single, by_network(naive_way)),
        "single_box": score(single, by_network(box_way)),
    }


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
