"""Pictures that hold no digit, drawn from a seed: letters, shapes, scribbles, textures, paper.

Two disjoint families: `FITTING` is what the judge (see judge.py) learns from, `MEASURING` is what
it is scored on (see pictures.py): other fonts, other shapes, other ways to scribble. Letters that
are written like a digit (O, l, S, Z, b, q ...) are in neither: without its neighbours nobody can
tell.

FITTING needs two collections of fonts (`pip install Hershey-Fonts matplotlib`), MEASURING the
DejaVu fonts that most systems have.
"""

import math
import string
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from scipy import ndimage

Points: TypeAlias = npt.NDArray[np.float64]
Generator: TypeAlias = np.random.Generator
Drawing: TypeAlias = npt.NDArray[np.uint8]
"""`(height, width)`: dark ink on white."""

SIDE = 160
LETTERS = [letter for letter in string.ascii_letters if letter not in "OoQDIliSsZzBbGgqjJyL"]
"""Without those that are written like 0, 1, 2, 4, 5, 6, 8 or 9."""
HAND = ["futural", "rowmans", "scripts", "scriptc", "cursive", "futuram", "timesr", "gothitt"]
BOOK = [
    *("STIXGeneral.ttf", "STIXGeneralBol.ttf", "STIXGeneralItalic.ttf", "STIXGeneralBolIta.ttf"),
    *("cmr10.ttf", "cmss10.ttf", "cmtt10.ttf", "cmb10.ttf"),
]
FOREIGN_LETTERS = list("αβγηκλμνπρτυφχψωΓΔΛΞΠΣΦΨΩЖЙЛМФЦШЩЯжкмфцшщя")
PRINT = [
    *("DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSans-ExtraLight.ttf"),
    *("DejaVuSansCondensed-Oblique.ttf", "DejaVuSerif-BoldItalic.ttf"),
]


def pen(lines: list[Points], generator: Generator, *, wobble: float = 0.06) -> Drawing:
    """Draw lines in [0, 1]^2 with one pen, turned, sheared and warped a little."""
    width = int(generator.integers(4, 20))
    turn, shear = generator.normal(0, 0.12), generator.normal(0, 0.15)
    matrix = np.array([[math.cos(turn), shear - math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    stretch = np.exp(generator.normal(0, 0.12, 2)) * SIDE * 0.62
    phase = generator.uniform(0, 2 * math.pi, (2, 2))
    image = Image.new("L", (SIDE, SIDE), 255)
    draw = ImageDraw.Draw(image)
    for line in lines:
        fine = _resampled(line) - 0.5
        warp = wobble * np.sin(fine[:, ::-1] * 5 + phase[0]) + wobble / 2 * np.sin(
            fine * 9 + phase[1]
        )
        places = (fine + warp) * stretch @ matrix.T + SIDE / 2
        draw.line([tuple(place) for place in places], fill=0, width=width, joint="curve")
        for x, y in (places[0], places[-1]):
            radius = width / 2
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(1)))


def _resampled(line: Points) -> Points:
    """With points between its corners, so that a straight line can be bent."""
    places, steps = np.arange(len(line)), max(1, 60 // len(line))
    fine = np.linspace(0, len(line) - 1, (len(line) - 1) * steps + 1)
    return np.stack([np.interp(fine, places, line[:, axis]) for axis in (0, 1)], axis=1)


def _lines(drawing: str) -> list[Points]:
    return [
        np.array([place.split(",") for place in line.split()], np.float64) / 100
        for line in drawing.split("/")
    ]


def smooth_curve(generator: Generator, corners: int) -> Points:
    """A closed or open curve through random places, by a few random waves."""
    time = np.linspace(0, 1, 80)
    curve = np.zeros((80, 2))
    for wave in range(1, corners + 1):
        size = generator.normal(0, 1 / wave**0.7, 2)
        phase = generator.uniform(0, 7, 2)
        curve += size * np.sin(time[:, None] * wave * 1.4 * math.pi + phase)
    curve -= curve.min(axis=0)
    return np.asarray(curve / max(curve.max(), 1e-9))


@cache
def _hershey(name: str) -> Any:
    from HersheyFonts import HersheyFonts

    font = HersheyFonts()
    font.load_default_font(name)
    return font


def hand_letter(generator: Generator) -> Drawing:
    """A Latin letter of a single-stroke font."""
    return in_strokes(HAND, LETTERS, generator)


def foreign_letter(generator: Generator) -> Drawing:
    """A Greek letter of a single-stroke font."""
    return in_strokes(["greek"], list("ADEFGHJKLPQRUWXYadefhkmpruwx"), generator)


def in_strokes(fonts: list[str], letters: list[str], generator: Generator) -> Drawing:
    """One of some characters in one of some single-stroke fonts."""
    font = _hershey(str(generator.choice(fonts)))
    strokes = list(font.strokes_for_text(str(generator.choice(letters))))
    strokes = [np.array(stroke, np.float64) for stroke in strokes if len(stroke) > 1]
    low = np.min([stroke.min(axis=0) for stroke in strokes], axis=0)
    span = max(np.max([stroke.max(axis=0) for stroke in strokes], axis=0) - low)
    return pen([(stroke - low) / span + (0.15, 0) for stroke in strokes], generator)


def outline_letter(generator: Generator) -> Drawing:
    """A letter of an outline font, stretched and turned, with a thinner or thicker stroke."""
    name, size = str(generator.choice(BOOK)), int(generator.integers(70, 120))
    font = ImageFont.truetype(matplotlib_font(name), size)
    alphabet = FOREIGN_LETTERS if name.startswith("STIX") and generator.random() < 0.5 else LETTERS
    image = Image.new("L", (SIDE, SIDE), 255)
    letter, weight = str(generator.choice(alphabet)), int(generator.choice([0, 0, 0, 2, 4]))
    middle = SIDE / 2, SIDE / 2
    ImageDraw.Draw(image).text(middle, letter, 0, font, "mm", stroke_width=weight)
    width = int(SIDE * generator.uniform(0.7, 1))
    turned = image.rotate(generator.normal(0, 8), Image.Resampling.BILINEAR, fillcolor=255)
    return np.asarray(turned.resize((width, SIDE)))


@cache
def matplotlib_font(name: str) -> str:
    """The file of a font that Matplotlib brings."""
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise SystemExit("the fonts of Matplotlib are needed: pip install matplotlib")
    return str(Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / name)


def composition(generator: Generator) -> Drawing:
    """Several lines, arcs, rings and corners anywhere; half of the time inside a larger shape."""
    lines = [primitive(generator) for _ in range(generator.integers(2, 7))]
    placed = [line * generator.uniform(0.15, 0.9) for line in lines]
    placed = [line + generator.uniform(0, 1, 2) * (1 - np.ptp(line, axis=0)) for line in placed]
    if generator.random() < 0.5:
        placed = [0.2 + 0.6 * line for line in placed]
        placed.append(
            ring(generator) if generator.random() < 0.6 else corners(generator, closed=True)
        )
    return pen(placed, generator, wobble=0.04)


def primitive(generator: Generator) -> Points:
    """A line, an arc, a ring, a few corners or a curve, in [0, 1]^2."""
    kind = generator.integers(5)
    if kind == 0:
        return generator.uniform(0, 1, (2, 2))
    if kind == 1:
        return ring(generator)[: int(generator.integers(10, 30))]
    if kind == 2:
        return ring(generator)
    if kind == 3:
        return corners(generator, closed=generator.random() < 0.4)
    return smooth_curve(generator, 2)


def ring(generator: Generator) -> Points:
    """An ellipse that begins anywhere."""
    angle = generator.uniform(0, 2 * math.pi) + np.linspace(0, 2 * math.pi, 40)
    radii = generator.uniform(0.25, 0.5, 2)
    return 0.5 + radii * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def corners(generator: Generator, *, closed: bool) -> Points:
    """Three to six random corners."""
    places = generator.uniform(0, 1, (int(generator.integers(3, 7)), 2))
    return np.concatenate([places, places[:1]]) if closed else places


def open_arc(generator: Generator) -> Drawing:
    """A third to three quarters of a ring, open to any side but the right and the left."""
    angle = generator.choice([0.5, 1.5]) * math.pi + generator.normal(0, 0.5)
    half = generator.uniform(0.33, 0.75) * math.pi
    turns = np.linspace(angle - half, angle + half, 30)
    return pen([0.5 + 0.5 * np.stack([np.cos(turns), np.sin(turns)], axis=1)], generator)


def scribble(generator: Generator) -> Drawing:
    """One to three curves over each other."""
    count = int(generator.integers(1, 4))
    curves = [smooth_curve(generator, int(generator.integers(4, 9))) for _ in range(count)]
    return pen(curves, generator)


POLYGONS = {
    "triangle": "50,0 100,100 0,100 50,0",
    "square": "0,0 100,0 100,100 0,100 0,0",
    "diamond": "50,0 100,50 50,100 0,50 50,0",
    "cross": "0,0 100,100 / 100,0 0,100",
    "plus": "50,0 50,100 / 0,50 100,50",
    "star": "50,0 80,100 0,40 100,40 20,100 50,0",
    "tick": "0,60 35,100 100,0",
    "dash": "0,50 100,50",
    "equals": "0,30 100,30 / 0,70 100,70",
    "hash": "30,0 20,100 / 80,0 70,100 / 0,30 100,30 / 0,70 100,70",
    "comb": "0,100 0,0 100,0 100,100 / 50,0 50,100",
    "zigzag": "0,80 25,20 50,80 75,20 100,80",
}
"""Lines, parted by /, through places in hundredths of the side."""


def polygon(generator: Generator) -> Drawing:
    """A simple shape of straight lines."""
    return pen(_lines(POLYGONS[str(generator.choice(list(POLYGONS)))]), generator)


def blot(generator: Generator) -> Drawing:
    """What is left of smooth noise above a level: stains and dense textures."""
    values = ndimage.gaussian_filter(generator.normal(size=(SIDE, SIDE)), generator.uniform(3, 16))
    x, y = np.meshgrid(*[np.linspace(-1, 1, SIDE)] * 2)
    inside = x**2 + y**2 < generator.uniform(0.2, 0.9)
    level = np.quantile(values, generator.uniform(0.3, 0.8))
    return np.where((values > level) & inside, 0, 255).astype(np.uint8)


FITTING: dict[str, Callable[[Generator], Drawing]] = {
    "hand letter": hand_letter,
    "foreign letter": foreign_letter,
    "outline letter": outline_letter,
    "composition": composition,
    "open arc": open_arc,
    "scribble": scribble,
    "polygon": polygon,
    "blot": blot,
}


def print_letter(generator: Generator) -> Drawing:
    """A letter of an outline font, a little turned."""
    font = ImageFont.truetype(str(generator.choice(PRINT)), int(generator.integers(70, 130)))
    image = Image.new("L", (SIDE, SIDE), 255)
    letter = str(generator.choice(LETTERS))
    ImageDraw.Draw(image).text((SIDE / 2, SIDE / 2), letter, 0, font, anchor="mm")
    turned = image.rotate(generator.normal(0, 6), Image.Resampling.BILINEAR, fillcolor=255)
    return np.asarray(turned)


def greek_letter(generator: Generator) -> Drawing:
    """A Greek or Cyrillic letter that is like no digit."""
    font = ImageFont.truetype(str(generator.choice(PRINT[:3])), int(generator.integers(70, 130)))
    image = Image.new("L", (SIDE, SIDE), 255)
    letter = str(generator.choice(FOREIGN_LETTERS))
    ImageDraw.Draw(image).text((SIDE / 2, SIDE / 2), letter, 0, font, anchor="mm")
    return np.asarray(image)


def face(generator: Generator) -> Drawing:
    """A head, two eyes, a nose, a mouth."""
    round_ = np.linspace(0, 2 * math.pi, 40)
    head = np.stack([0.5 + 0.5 * np.cos(round_), 0.5 + 0.5 * np.sin(round_)], axis=1)
    eyes = [head * 0.1 + (x, 0.3) for x in (0.22, 0.62)]
    bend = generator.uniform(-0.2, 0.2)
    smile = np.stack([0.5 + 0.25 * np.cos(round_), 0.6 + bend * np.sin(round_)], axis=1)[:20]
    nose = np.array([(0.5, 0.45), (0.45, 0.58), (0.52, 0.58)])
    return pen([head, *eyes, smile, nose], generator, wobble=0.03)


def spiral(generator: Generator) -> Drawing:
    """A spiral of two to four turns."""
    angle = np.linspace(0, 2 * math.pi * generator.uniform(2, 4), 160) * generator.choice([-1, 1])
    radius = np.linspace(0.02, 0.5, 160)
    line = np.stack([0.5 + radius * np.cos(angle), 0.5 + radius * np.sin(angle)], axis=1)
    return pen([line], generator)


OBJECTS = {
    "house": "0,45 50,0 100,45 90,45 90,100 10,100 10,45 0,45",
    "arrow": "0,50 100,50 / 65,20 100,50 65,80",
    "heart": "50,100 0,35 12,5 40,5 50,30 60,5 88,5 100,35 50,100",
    "man": ("50,0 60,10 50,20 40,10 50,0 / 50,20 50,65 25,100 / 50,65 75,100 / 20,35 80,35"),
    "tree": "50,100 50,50 / 50,0 90,60 10,60 50,0 / 50,25 100,80 0,80 50,25",
    "window": "0,0 100,0 100,100 0,100 0,0 / 50,0 50,100 / 0,50 100,50",
    "asterisk": "50,0 50,100 / 7,25 93,75 / 93,25 7,75",
    "cup": "0,0 15,100 65,100 80,0 0,0 / 75,25 100,40 70,70",
}


def thing(generator: Generator) -> Drawing:
    """A simple drawing of an object."""
    return pen(_lines(OBJECTS[str(generator.choice(list(OBJECTS)))]), generator)


def angry_scribble(generator: Generator) -> Drawing:
    """A pen that goes to and fro."""
    steps = int(generator.integers(12, 40))
    return pen([generator.uniform(0, 1, (steps, 2))], generator)


def blank(generator: Generator) -> Drawing:
    """Paper alone, with grain and a shadow."""
    x, y = np.meshgrid(*[np.linspace(0, 1, 300)] * 2)
    light = generator.uniform(90, 250) + generator.uniform(-40, 40) * x
    light += generator.normal(0, 15) * y**2
    grain = generator.normal(0, generator.uniform(0.5, 6), light.shape)
    return np.clip(light + grain, 0, 255).astype(np.uint8)


def noise(generator: Generator) -> Drawing:
    """Every pixel for itself."""
    side = int(generator.integers(28, 300))
    return generator.integers(0, 256, (side, side), dtype=np.uint8)


def texture(generator: Generator) -> Drawing:
    """Waves, checks, or noise of several sizes: cloth, wood, clouds, foliage."""
    x, y = np.meshgrid(*[np.linspace(0, 2 * math.pi, 240)] * 2)
    values = np.zeros((240, 240))
    for _ in range(generator.integers(1, 5)):
        across, down = generator.uniform(-30, 30, 2)
        values += generator.normal() * np.sin(across * x + down * y)
    values *= generator.uniform(0, 1)
    for side in (4, 8, 16, 32, 64):
        clouds = Image.fromarray(generator.normal(size=(side, side)).astype(np.float32))
        values += np.asarray(clouds.resize((240, 240), Image.Resampling.BICUBIC)) * (8 / side)
    return np.clip(128 + values * generator.uniform(15, 60), 0, 255).astype(np.uint8)


MEASURING: dict[str, Callable[[Generator], Drawing]] = {
    "blank": blank,
    "noise": noise,
    "texture": texture,
    "print letter": print_letter,
    "Greek or Cyrillic letter": greek_letter,
    "face": face,
    "spiral": spiral,
    "thing": thing,
    "angry scribble": angry_scribble,
}
