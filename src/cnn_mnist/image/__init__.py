"""From any picture to what may be digits in it, each in MNIST's own form.

Pillow decodes, NumPy and OpenCV do the rest; never torch. One file a step: `picture` (a file to
pixels), `ink` (pixels to the strength of ink), `strokes` (ink to connected pieces), `rows` and
`touching` (pieces to rows of parts), `glyph` (a digit's ink to 28x28), `find` (all of it). Which
candidates are digits, and which digits, is decided in `cnn_mnist.reading`.
"""

from cnn_mnist.image.find import Candidate, find_candidates
from cnn_mnist.image.glyph import BOX, SIZE, to_glyph
from cnn_mnist.image.picture import FORMATS, MAX_PIXELS, SUFFIXES, Picture, decode

__all__ = [
    "BOX",
    "FORMATS",
    "MAX_PIXELS",
    "SIZE",
    "SUFFIXES",
    "Candidate",
    "Picture",
    "decode",
    "find_candidates",
    "to_glyph",
]
