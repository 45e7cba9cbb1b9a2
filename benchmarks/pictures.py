"""Measure how well pictures are read, of every kind that is at hand, and how fast.

    CNN_MNIST_DATA=... python benchmarks/pictures.py > benchmarks/results/pictures.json

| section | what | file |
|---|---|---|
| photos | pictures found in public: of one digit, of several, mixed | photographs.py |
| turned | those of several digits, turned by 90, 180, 270 degrees | photographs.py |
| none | pictures found in public without a handwritten digit | photographs.py |
| hands | digits of other data sets and forms | hands.py |
| drawn | digits framed, circled, underlined, cut tight, in a dark square | marked_digits.py |
| mnist | MNIST's test images as files | mnist_files.py |
| nondigits | drawn letters, shapes, textures: the MEASURING family of tools/nondigits.py | here |
| speed | processor time, memory, cold start, size of the models | reading_speed.py |

Intervals (95 %) come from resampling whole SOURCES, because pictures by one writer are alike. How
long each section took goes to standard error; the last line of standard output is one JSON object.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from answers import Readers, png
from hands import hands
from marked_digits import marked_digits
from mnist_files import round_trip
from photographs import SETS, photographs, pictures_of, turned, without_digits
from reading_speed import speed
from record import print_result

from cnn_mnist import Model
from cnn_mnist.inference.model import BUNDLED
from cnn_mnist.machine import cores

sys.path.append(str(Path(__file__).parent.parent / "tools"))

from nondigits import MEASURING

SEED = 1
EACH = 100  # non-digits of each kind
SECTIONS = ("photos", "turned", "none", "hands", "drawn", "mnist", "nondigits", "speed")
SMALL = 500  # pixels: the longest side of the pictures whose reading is timed


def nondigits(readers: Readers) -> dict[str, Any]:
    """Count, of each kind of non-digit, the pictures in which no digit is read."""
    caught: dict[str, int] = {}
    for kind, draw in MEASURING.items():
        generator = np.random.default_rng(SEED)
        answers = readers.read(png(draw(generator)) for _ in range(EACH))
        caught[kind] = sum(not answer.has_digit for answer in answers)
    total = len(MEASURING) * EACH
    return {"n": total, "caught": sum(caught.values()) / total, "of_100_by_kind": caught}


def small_pictures(data: Path) -> list[Path]:
    """Return the pictures found in public whose longest side has at most `SMALL` pixels."""
    lists = [f"{name}/{kind}" for name in SETS for kind in ("single", "multi")]
    found = (picture for name in [*lists, "photos2/none"] for picture in pictures_of(data, name))
    return [picture.file for picture in found if picture.longest_side <= SMALL]


def measurements(
    data: Path, readers: Readers, model_path: Path, mnist: int
) -> dict[str, Callable[[], dict[str, Any]]]:
    """Return what each section measures, to be called: parts of the result."""
    model = Model(model_path)
    return {
        "photos": lambda: photographs(data, readers, model),
        "turned": lambda: {"turned": turned(data, readers)},
        "none": lambda: {"none": without_digits(data, readers)},
        "hands": lambda: {"hands": hands(data, readers)},
        "drawn": lambda: {"drawn": marked_digits(readers)},
        "mnist": lambda: {"mnist": round_trip(readers, model, mnist)},
        "nondigits": lambda: {"nondigits": nondigits(readers)},
        "speed": lambda: {"speed": speed(model_path, small_pictures(data))},
    }


def main(arguments: Iterable[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=BUNDLED, help="the model file that reads")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="sections")
    parser.add_argument("--mnist", type=int, default=10_000, help="number of MNIST test images")
    parser.add_argument("--workers", type=int, default=cores(), help="processes that read")
    options = parser.parse_args(arguments)
    data = Path(os.environ["CNN_MNIST_DATA"])
    metadata = Model(options.model).metadata
    result: dict[str, Any] = {"model": {"name": options.model.name, "metadata": metadata}}
    taken_s: dict[str, float] = {}
    with Readers(options.model, options.workers) as readers:
        sections = measurements(data, readers, options.model, options.mnist)
        for name in options.only:
            began = time.perf_counter()
            result |= sections[name]()
            taken_s[name] = time.perf_counter() - began
            print(f"{name}: {taken_s[name]:.0f} s", file=sys.stderr)
    print_result(result | {"taken_s": taken_s, "workers": options.workers})


if __name__ == "__main__":
    main()
