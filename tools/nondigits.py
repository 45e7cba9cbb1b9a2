"""Name the kinds of pictures that hold no digit: letters, shapes, scribbles, textures, paper.

Two disjoint families, drawn from a seed: `FITTING` is in what trains the detector and the rejector
(see scene_layouts.py and train_rejector.py), `MEASURING` is what is scored (see
benchmarks/pictures.py), with other shapes and scribbles, and other fonts but for two of the printed
ones. Letters that are written like a digit (O, l, S, Z, b, q ...) are in neither: without the
characters beside it nobody can tell.
"""

from collections.abc import Callable

from letters import foreign_letter, greek_letter, hand_letter, outline_letter, print_letter
from pen import Drawing, Generator
from shapes import (
    angry_scribble,
    composition,
    face,
    open_arc,
    polygon,
    scribble,
    spiral,
    thing,
)
from textures import blank, blot, noise, texture

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
