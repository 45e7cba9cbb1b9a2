"""Score digits that are framed, circled, underlined, cut tight, or in a dark square on a page.

They are MNIST test images, the first twelve of each class, each drawn in every kind in two manners:
`plain`, always of the same size with the same black mark, and `varied`: size, thickness, distance,
form and strength of the mark, colours, which of digit and page is dark, and grain are drawn from a
seed. Nothing here is shared with the programs of tools/ that draw what networks are trained on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from answers import Readers, png
from PIL import Image, ImageChops, ImageDraw, ImageFilter
from scores import count_by

from cnn_mnist import load

SEED = 1
EACH = 12  # images of each class

Generator = np.random.Generator
Ink = Image.Image
"""Mode L: 0 is paper, 255 is full ink."""
Points = list[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a digit, its mark and its page are drawn; lengths are shares of `size`."""

    size: int = 200
    """Side of the digit's image with its margin of 1/7, in pixels."""
    distance: float | None = None
    """From that side to the mark; None takes each kind's own."""
    thickness: float = 0.02
    strength: float = 1.0
    """Ink of the mark, 1 is that of the digit."""
    wobble: float = 0.0
    """How far the mark departs from a straight, right-angled or round one."""
    margin: float = 0.25
    """Of paper around the digit's image."""
    paper: tuple[int, int, int] = (255, 255, 255)
    ink: tuple[int, int, int] = (0, 0, 0)
    blur: float = 0.0
    """Sigma in pixels."""
    grain: float = 0.0
    """Standard deviation of a pixel's noise in levels of 255."""


def varied(generator: Generator) -> Manner:
    """Draw a manner."""
    grained, light_ink = generator.random(2) < 0.5
    paper = generator.integers(190, 256) - generator.integers(0, 25, 3)
    ink = generator.integers(0, 70, 3)
    colours = (255 - paper, 255 - ink) if light_ink else (paper, ink)
    return Manner(
        size=int(generator.integers(48, 240)),
        distance=float(generator.uniform(-0.04, 0.3)),
        thickness=float(generator.uniform(0.008, 0.045)),
        strength=float(generator.uniform(0.35, 1)),
        wobble=float(generator.uniform(0, 0.04)),
        margin=float(generator.uniform(0.4, 0.7)),
        paper=_colour(colours[0]),
        ink=_colour(colours[1]),
        blur=float(generator.uniform(0.4, 1.2)) if grained else 0.0,
        grain=float(generator.uniform(2, 8)) if grained else 0.0,
    )


def framed(image: Image.Image, manner: Manner, generator: Generator) -> Image.Image:
    """Draw a digit in a box."""
    low, high = _ends(manner, 0.1)
    corners = [(low, low), (high, low), (high, high), (low, high)]
    shaken = [tuple(np.add(c, generator.normal(0, _wobble(manner), 2))) for c in corners]
    return _page(_marked(image, manner, [*shaken, shaken[0]]), manner, generator)


def circled(image: Image.Image, manner: Manner, generator: Generator) -> Image.Image:
    """Draw a digit in a ring."""
    low, high = _ends(manner, 0.2)
    centre, radius = (low + high) / 2, max((high - low) / 2, 0.58 * manner.size)
    angles = np.linspace(0, 2 * np.pi, 120)
    waves = generator.uniform(-1, 1, 4) * manner.wobble
    wave = 1 + waves[0] * np.sin(2 * angles) + waves[1] * np.cos(3 * angles)
    x, y = centre + radius * wave * np.cos(angles), centre + radius * wave * np.sin(angles)
    x = centre + (x - centre) * (1 + abs(waves[2]) * 3)
    return _page(_marked(image, manner, list(zip(x, y, strict=True))), manner, generator)


def underlined(image: Image.Image, manner: Manner, generator: Generator) -> Image.Image:
    """Draw a digit above a line."""
    start = manner.margin * manner.size
    distance = 0.025 if manner.distance is None else manner.distance / 3
    below = start + (1 + distance) * manner.size
    left, right = start - 0.05 * manner.size, start + 1.05 * manner.size
    ends = zip((left, right), below + generator.normal(0, _wobble(manner), 2), strict=True)
    return _page(_marked(image, manner, list(ends)), manner, generator)


def cut_tight(image: Image.Image, manner: Manner, generator: Generator) -> Image.Image:
    """Cut a digit out along its own outline, as `cv2.boundingRect` gives it."""
    ink = _resized(image, manner.size)
    rows, columns = (np.flatnonzero((np.asarray(ink) > 40).any(axis)) for axis in (1, 0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return _page(ink.crop(box), manner, generator)


def in_dark_square(image: Image.Image, manner: Manner, generator: Generator) -> Image.Image:
    """Draw a light digit on a dark square on a light page, as a plot of an image is."""
    light, dark = sorted((manner.paper, manner.ink), key=sum, reverse=True)
    extra = 0 if manner.distance is None else int(max(0, manner.distance) * manner.size / 2)
    side, start = round((1 + 2 * manner.margin) * manner.size), round(manner.margin * manner.size)
    page, square = Image.new("L", (side, side), 0), manner.size + 2 * extra
    page.paste(255, (start - extra, start - extra, start - extra + square, start - extra + square))
    page.paste(ImageChops.invert(_resized(image, manner.size)), (start, start))
    return _page(page, Manner(**{**vars(manner), "paper": light, "ink": dark}), generator)


KINDS: dict[str, Callable[[Image.Image, Manner, Generator], Image.Image]] = {
    "framed": framed,
    "circled": circled,
    "underlined": underlined,
    "cut tight": cut_tight,
    "dark square": in_dark_square,
}


def marked_digits(readers: Readers) -> dict[str, Any]:
    """Score 120 digits in each kind and manner."""
    test = load("mnist").test
    chosen = [i for digit in range(10) for i in np.flatnonzero(test.labels == digit)[:EACH]]
    labels = [str(test.labels[index]) for index in chosen]
    result: dict[str, Any] = {}
    for kind in KINDS:
        result[kind] = {}
        for manner in ("plain", "varied"):
            files = pictures(kind, manner, [test.images[index] for index in chosen])
            texts = [answer.text for answer in readers.read(files)]
            right = [text == label for text, label in zip(texts, labels, strict=True)]
            result[kind][manner] = {
                "n": len(files),
                "right": sum(right),
                "refused": sum(not text for text in texts),
                "by_label": {key: n["right"] for key, n in count_by(labels, right).items()},
            }
    return result


def pictures(kind: str, manner: str, images: list[npt.NDArray[np.uint8]]) -> list[bytes]:
    """Draw images, each `(28, 28)`, in one of `KINDS`, plain or varied, as PNG files."""
    generator = np.random.default_rng([SEED, list(KINDS).index(kind)])
    return [
        png(
            np.asarray(
                KINDS[kind](
                    Image.fromarray(image),
                    varied(generator) if manner == "varied" else Manner(),
                    generator,
                )
            )
        )
        for image in images
    ]


def _resized(image: Image.Image, size: int) -> Ink:
    return image.resize((size, size), Image.Resampling.BICUBIC)


def _ends(manner: Manner, distance: float) -> tuple[float, float]:
    """Return where a mark around the digit's image begins and ends, in pixels of the page."""
    distance = distance if manner.distance is None else manner.distance
    return (manner.margin - distance) * manner.size, (manner.margin + 1 + distance) * manner.size


def _wobble(manner: Manner) -> float:
    return manner.wobble * manner.size / 2


def _marked(image: Image.Image, manner: Manner, line: Points) -> Ink:
    """Return the ink of a page with a digit and a line."""
    side, start = round((1 + 2 * manner.margin) * manner.size), round(manner.margin * manner.size)
    page, mark = Image.new("L", (side, side)), Image.new("L", (side, side))
    page.paste(_resized(image, manner.size), (start, start))
    width = max(1, round(manner.thickness * manner.size))
    ImageDraw.Draw(mark).line(line, round(255 * manner.strength), width, joint="curve")
    return ImageChops.lighter(page, mark)


def _page(ink: Ink, manner: Manner, generator: Generator) -> Image.Image:
    """Return an RGB picture of ink on paper, blurred and grained."""
    share = np.asarray(ink.filter(ImageFilter.GaussianBlur(manner.blur)), np.float32)[..., None]
    paper, colour = np.array(manner.paper), np.array(manner.ink)
    pixels = paper + (colour - paper) * share / 255
    noise = generator.normal(0, manner.grain, share.shape)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def _colour(levels: npt.NDArray[np.int64]) -> tuple[int, int, int]:
    red, green, blue = np.clip(levels, 0, 255).tolist()
    return red, green, blue
