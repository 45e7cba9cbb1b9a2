"""Fuzz the reading of image files, up to the characters found: no crash, no hang.

    python fuzz/pictures.py --n 100000 > benchmarks/results/fuzz.json

Each file is a small drawing in one of the supported formats, changed at random: bytes replaced,
pieces removed, repeated or swapped, numbers in the header set to extremes. The result must be a
list of characters or an `ImageError`; anything else is a crash. A file that takes more than
`LIMIT_S` of processor time is a hang. The last line of standard output is one JSON object; each
crash and hang is printed with the seed that makes the same file again.
"""

import argparse
import json
import time
import traceback
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from cnn_mnist.errors import ImageError
from cnn_mnist.machine import machine, versions
from cnn_mnist.reading.decode import decode
from cnn_mnist.reading.finder import Finder

LIMIT_S = 2.0
Generator = np.random.Generator


def drawing() -> Image.Image:
    """Draw three dark shapes like digits on white."""
    page = Image.new("RGB", (72, 40), "white")
    draw = ImageDraw.Draw(page)
    draw.line([(8, 8), (22, 8), (14, 32)], "navy", 3)
    draw.ellipse((30, 8, 44, 32), outline="black", width=3)
    draw.line([(54, 8), (50, 20), (64, 20), (60, 10), (60, 34)], "black", 2)
    return page


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """Return an image as the bytes of a file."""
    stream = BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def seeds() -> dict[str, bytes]:
    """Return a valid file of each supported form."""
    page, exif = drawing(), Image.Exif()
    exif[0x0112] = 6
    grey = page.convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    return {
        "PNG": encoded(page, "PNG"),
        "PNG palette": encoded(page.convert("P"), "PNG", transparency=0),
        "PNG alpha": encoded(page.convert("RGBA"), "PNG"),
        "PNG 16 bit": encoded(deep, "PNG"),
        "PNG 1 bit": encoded(page.convert("1"), "PNG", exif=exif),
        "JPEG": encoded(page, "JPEG", exif=exif),
        "JPEG progressive": encoded(page, "JPEG", progressive=True),
        "JPEG CMYK": encoded(page.convert("CMYK"), "JPEG"),
        "BMP": encoded(page, "BMP"),
        "BMP palette": encoded(page.convert("P"), "BMP"),
        "GIF": encoded(page, "GIF", save_all=True, append_images=[grey]),
        "WebP": encoded(page, "WEBP"),
        "WebP lossless": encoded(page.convert("RGBA"), "WEBP", lossless=True),
        "TIFF": encoded(page, "TIFF"),
        "TIFF LZW": encoded(grey, "TIFF", compression="tiff_lzw"),
        "TIFF fax": encoded(page.convert("1"), "TIFF", compression="group4"),
        "TIFF 16 bit": encoded(deep, "TIFF"),
        "TIFF float": encoded(Image.fromarray(np.asarray(grey, np.float32)), "TIFF"),
    }


def replaced(content: bytearray, generator: Generator) -> bytearray:
    """Set a few bytes at random."""
    for place in generator.integers(len(content), size=generator.integers(1, 9)):
        content[place] = generator.integers(256)
    return content


def extreme(content: bytearray, generator: Generator) -> bytearray:
    """Set a number near the beginning, where sizes are, to its minimum or maximum."""
    size = int(generator.choice([1, 2, 4]))
    place = int(generator.integers(min(len(content), 200)))
    content[place : place + size] = generator.choice([b"\0", b"\xff", b"\x7f", b"\x80"]) * size
    return content


def cut(content: bytearray, generator: Generator) -> bytearray:
    """Cut off the end."""
    return content[: generator.integers(len(content))]


def removed(content: bytearray, generator: Generator) -> bytearray:
    """Remove a piece."""
    start, stop = sorted(generator.integers(len(content), size=2))
    del content[start : min(stop, start + 64)]
    return content


def repeated(content: bytearray, generator: Generator) -> bytearray:
    """Repeat a piece."""
    start, stop = sorted(generator.integers(len(content), size=2))
    return content[:stop] + content[start:]


MUTATIONS: tuple[Callable[[bytearray, Generator], bytearray], ...] = (
    *(replaced, replaced, replaced, extreme, extreme),
    *(cut, removed, repeated),
)


def mutated(files: dict[str, bytes], seed: int) -> tuple[str, bytes]:
    """Return the form and the changed file of a seed."""
    generator = np.random.default_rng(seed)
    form = str(generator.choice(list(files)))
    content = bytearray(files[form])
    for _ in range(generator.integers(1, 4)):
        if content:
            mutation = MUTATIONS[generator.integers(len(MUTATIONS))]
            content = mutation(content, generator)
    return form, bytes(content)


def run(count: int, first: int = 0) -> dict[str, Any]:
    """Read `count` files; print crashes and hangs; return the counts."""
    files, finder = seeds(), Finder()
    outcomes: Counter[str] = Counter()
    forms: Counter[str] = Counter()
    slowest_s = 0.0
    for seed in range(first, first + count):
        form, content = mutated(files, seed)
        forms[form] += 1
        began = time.process_time()
        try:
            finder.find(decode(content), fields=True)
            outcomes["decoded"] += 1
        except ImageError:
            outcomes["refused"] += 1
        except Exception:
            outcomes["crashed"] += 1
            print(f"seed {seed}, {form}:\n{traceback.format_exc()}")
        taken_s = time.process_time() - began
        slowest_s = max(slowest_s, taken_s)
        if taken_s > LIMIT_S:
            outcomes["hung"] += 1
            print(f"seed {seed}, {form}: {taken_s:.1f} s")
    return {
        "n": count,
        **{name: outcomes[name] for name in ("decoded", "refused", "crashed", "hung")},
        "slowest_s": slowest_s,
        "forms": dict(sorted(forms.items())),
    }


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=100_000, help="number of files")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    arguments = parser.parse_args()
    result = run(arguments.n, arguments.first)
    print(json.dumps(result | {"versions": versions(), "machine": machine()}))


if __name__ == "__main__":
    main()
