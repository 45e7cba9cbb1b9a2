"""Draw letters that cannot be taken for digits, from a seed.

Needs two collections of fonts (`pip install Hershey-Fonts matplotlib`), and the DejaVu fonts that
most systems have.
"""

import string
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from pen import SIDE, Drawing, Generator, pen
from PIL import Image, ImageDraw, ImageFont

LETTERS = [letter for letter in string.ascii_letters if letter not in "OoQDIliSsZzBbGgqjJyL"]
"""Without letters that are written like 0, 1, 2, 4, 5, 6, 8 or 9."""
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


@cache
def _hershey(name: str) -> Any:
    from HersheyFonts import HersheyFonts

    font = HersheyFonts()
    font.load_default_font(name)
    return font


def hand_letter(generator: Generator) -> Drawing:
    """Draw a Latin letter of a single-stroke font."""
    return in_strokes(HAND, LETTERS, generator)


def foreign_letter(generator: Generator) -> Drawing:
    """Draw a Greek letter of a single-stroke font."""
    return in_strokes(["greek"], list("ADEFGHJKLPQRUWXYadefhkmpruwx"), generator)


def in_strokes(fonts: list[str], letters: list[str], generator: Generator) -> Drawing:
    """Draw one of some characters in one of some single-stroke fonts."""
    font = _hershey(str(generator.choice(fonts)))
    strokes = list(font.strokes_for_text(str(generator.choice(letters))))
    strokes = [np.array(stroke, np.float64) for stroke in strokes if len(stroke) > 1]
    low = np.min([stroke.min(axis=0) for stroke in strokes], axis=0)
    span = max(np.max([stroke.max(axis=0) for stroke in strokes], axis=0) - low)
    return pen([(stroke - low) / span + (0.15, 0) for stroke in strokes], generator)


def outline_letter(generator: Generator) -> Drawing:
    """Draw a letter of an outline font, stretched and turned, with a thin or thick stroke."""
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
    """Return the path of a font that is part of Matplotlib."""
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise SystemExit("error: the fonts of Matplotlib are missing: pip install matplotlib")
    return str(Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / name)


def print_letter(generator: Generator) -> Drawing:
    """Draw a letter of an outline font, turned a little."""
    image = _printed(PRINT, LETTERS, generator)
    turned = image.rotate(generator.normal(0, 6), Image.Resampling.BILINEAR, fillcolor=255)
    return np.asarray(turned)


def greek_letter(generator: Generator) -> Drawing:
    """Draw a Greek or Cyrillic letter that does not look like a digit."""
    return np.asarray(_printed(PRINT[:3], FOREIGN_LETTERS, generator))


def _printed(fonts: list[str], letters: list[str], generator: Generator) -> Image.Image:
    font = ImageFont.truetype(str(generator.choice(fonts)), int(generator.integers(70, 130)))
    image = Image.new("L", (SIDE, SIDE), 255)
    letter = str(generator.choice(letters))
    ImageDraw.Draw(image).text((SIDE / 2, SIDE / 2), letter, 0, font, anchor="mm")
    return image
