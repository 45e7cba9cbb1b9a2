"""Bring the levels of an image of any mode to 8-bit RGB, in little memory.

The image is reduced while it is converted, a strip of rows at a time: beside the image itself only
the result is held. Not covered: what a mode means beyond its levels, such as a colour profile.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnn_mnist.reading.opencv import decode_16_bit

_STRIP: Final = 256  # rows that are converted at a time
_DEEP_MODES: Final = ("I", "F")  # 32 bits a pixel: no level is white by convention
_HALF: Final = 127  # of 255: darker images leave their highest bit unused
_PALE: Final = 224  # of 255, in every channel: hardly visible on white
_MOSTLY: Final = 0.99  # of the ink: so much is pale where the strokes are white
_GROUND_SIDE: Final = 320  # pixels of the longest side that suffice to choose a ground
_GROUND: Final = 0.25  # of the picture: at least so much ground lies around strokes


def to_rgb(image: Image.Image, side: int) -> Image.Image:
    """Convert to 8-bit RGB of at most about `side` pixels on the longest side.

    Transparency becomes white, or black under white strokes. Of 16 bits, those that are used count;
    levels of 32 bits are stretched to 0..255.

    Args:
        image: of any mode; it is not changed.
        side: the longest side that the caller needs, in pixels: the result has more than twice
            that only where the image has less than four times it.
    """
    factor = max(1, int(max(image.size) / side / 2))
    if image.mode in _DEEP_MODES:
        image, factor = _stretch(image.reduce(factor), side), 1
    transparent = image.has_transparency_data
    reduced = _convert(image, "RGBA" if transparent else "RGB", factor)
    if not transparent:
        return reduced
    ground = Image.new("RGBA", reduced.size, _choose_ground(reduced))
    return Image.alpha_composite(ground, reduced).convert("RGB")


def to_8_bit(values: npt.NDArray[np.uint16], greatest: int) -> npt.NDArray[np.uint8]:
    """Scale 16-bit levels so that the highest bit used becomes the highest of 8.

    Args:
        values: of any shape.
        greatest: the greatest value of the whole image.
    """
    return (values >> max(0, greatest.bit_length() - 8)).astype(np.uint8)


def restore_16_bit(image: Image.Image, content: bytes) -> Image.Image:
    """Return 16-bit colours whose highest bits are unused; Pillow keeps only the high byte.

    Args:
        image: the image at its current frame, not loaded yet.
        content: its file's content.

    Returns:
        A new image of 8 bits, or `image` where its high byte is enough.
    """
    deep = image.mode in ("RGB", "RGBA") and any(";16" in str(tile.args) for tile in image.tile)  # type: ignore[attr-defined]
    if not deep or max(high for _, high in image.getextrema()[:3]) > _HALF:  # type: ignore[misc]
        return image
    values = decode_16_bit(content, image.tell())
    if values is None or values.shape[:2] != (image.height, image.width):
        return image
    parts = values[..., :3], values[..., 3:]  # colours and, if any, alpha
    restored = [to_8_bit(part, int(part.max(initial=0))) for part in parts]
    new = Image.fromarray(np.concatenate(restored, axis=2))
    new.info = dict(image.info)
    return new


def _convert(image: Image.Image, mode: str, factor: int) -> Image.Image:
    """Convert to a mode of 8 bits, and reduce by a whole factor."""
    deep = image.mode.startswith("I;16")
    greatest = int(image.getextrema()[1]) if deep else 0  # type: ignore[arg-type]

    def converted(strip: Image.Image) -> Image.Image:
        if deep:
            strip = Image.fromarray(to_8_bit(np.asarray(strip), greatest))
        return strip.convert(mode)

    if factor == 1:
        return converted(image)
    width, height = image.size
    reduced = Image.new(mode, (-(-width // factor), -(-height // factor)))
    step = factor * max(1, _STRIP // factor)
    for top in range(0, height, step):
        strip = image.crop((0, top, width, min(top + step, height)))
        reduced.paste(converted(strip).reduce(factor), (0, top // factor))
    return reduced


def _stretch(image: Image.Image, side: int) -> Image.Image:
    """Stretch 32-bit levels to 0..255."""
    image.thumbnail((side, side), Image.Resampling.BOX)
    values = np.nan_to_num(np.asarray(image, np.float64))
    low, high = values.min(), values.max()
    return Image.fromarray(((values - low) * (255 / max(high - low, 1e-9))).astype(np.uint8))


def _choose_ground(image: Image.Image) -> str:
    """Choose the colour that shows the strokes of an RGBA image: white, or black for white ones."""
    pixels: npt.NDArray[Any] = np.asarray(image.reduce(max(1, max(image.size) // _GROUND_SIDE)))
    alpha = pixels[..., 3].astype(np.float64)
    ink = alpha.sum()
    pale = alpha.sum(where=pixels[..., :3].min(axis=2) >= _PALE)
    is_drawing = 0 < ink <= (1 - _GROUND) * 255 * alpha.size
    return "black" if is_drawing and pale >= _MOSTLY * ink else "white"
