"""The square around a digit is cut out at one scale, and its own ink is told from the rest."""

from typing import Any

import numpy as np
import pytest
from drawings import drawing
from PIL import Image, ImageDraw

from cnn_mnist.reading import ink as ink_module
from cnn_mnist.reading.detector import Box
from cnn_mnist.reading.ink import SIDE, InkMask, _sharpened, box_of_ink, crop
from cnn_mnist.reading.opencv import Field


@pytest.mark.parametrize("side", [8, 40, 79, 400])
def test_a_digit_has_the_same_size_in_every_crop(side: int) -> None:
    page = np.full((900, 1000), 200, np.uint8)
    left, top = 300, 250
    page[top : top + side, left : left + side] = 0
    square = crop(page, (left, top, left + side, top + side), 200)
    assert (square.shape, square.dtype) == ((SIDE, SIDE), np.uint8)
    rows, columns = np.nonzero(square < 100)
    for places in (rows, columns):
        assert abs(places.min() - 15) <= 1
        assert abs(places.max() - 64) <= 1
    ink = 200 - square.astype(float)
    for axis in (0, 1):
        along = ink.sum(axis=axis)
        assert abs(along @ np.arange(SIDE) / along.sum() - (SIDE - 1) / 2) < 0.2


def test_the_aspect_is_kept_and_the_longer_side_decides() -> None:
    page = np.full((200, 200), 255, np.uint8)
    page[80:120, 95:105] = 0
    rows, columns = np.nonzero(crop(page, (95, 80, 105, 120), 255) < 128)
    assert abs(np.ptp(rows) + 1 - 50) <= 1
    assert abs(np.ptp(columns) + 1 - 12.5) <= 1


def test_a_thin_line_of_a_large_digit_is_not_lost() -> None:
    page = np.full((1200, 1200), 255, np.uint8)
    page[100:1100, 598:602] = 0
    square = crop(page, (100, 100, 1100, 1100), 255)
    assert (square[20:60].min(axis=1) < 240).all()


@pytest.mark.parametrize(
    ("box", "outside"),
    [
        ((0, 0, 40, 40), (slice(0, 14), slice(None))),
        ((160, 60, 200, 100), (slice(None), slice(66, None))),
        ((-100, -100, -60, -60), (slice(None), slice(None))),
        ((500, 20, 540, 60), (slice(None), slice(None))),
    ],
    ids=["corner", "right border", "beyond the corner", "far to the right"],
)
def test_beyond_the_border_a_crop_has_the_level_outside(
    box: Box, outside: tuple[slice, slice]
) -> None:
    square = crop(np.full((150, 200), 10, np.uint8), box, 77)
    assert (square[outside] == 77).all()
    inside = np.ones(square.shape, np.bool_)
    inside[outside] = False
    assert (square[inside] == 10).any() == inside.any()


class Session:
    """Replaces the network: it answers the crops themselves."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def run(self, _: None, inputs: dict[str, Any]) -> list[np.ndarray]:
        self.sizes.append(len(inputs["crops"]))
        return [inputs["crops"]]


def test_many_digits_are_masked_a_batch_at_a_time_each_as_if_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = Session()
    monkeypatch.setattr(ink_module, "open_session", lambda *_, **__: session)
    page = np.random.default_rng(0).integers(0, 256, (120, 600)).astype(np.uint8)
    boxes: list[Box] = [(5 * n, 30, 5 * n + 20, 60) for n in range(70)]
    inks = InkMask().of(page, boxes)
    assert sum(session.sizes) == len(inks) == 70
    assert max(session.sizes) <= 32
    np.testing.assert_array_equal(inks[50], InkMask().of(page, boxes[50:51])[0])
    assert InkMask().of(page, []) == []


# --- with the true network


@pytest.mark.parametrize("light_on_dark", [False, True])
def test_a_digit_keeps_its_ink_and_loses_the_frame_around_it(light_on_dark: bool) -> None:
    clean = drawing((200, 200), (70, 60), 2.5)
    framed = clean.copy()
    ImageDraw.Draw(framed).rectangle((45, 40, 150, 160), outline=30, width=3)
    rows, columns = np.nonzero(np.asarray(clean) < 128)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    own, all_ = (crop(np.asarray(page), box, 255) < 128 for page in (clean, framed))
    page = np.asarray(Image.eval(framed, lambda level: 255 - level) if light_on_dark else framed)
    (ink,) = InkMask().of(page, [box])
    assert (ink.shape, ink.dtype) == ((SIDE, SIDE), np.float32)
    assert (all_ & ~own).sum() > 100
    assert (ink[own] > 0.5).mean() > 0.9
    assert (ink[all_ & ~own] > 0.5).mean() < 0.1
    assert (ink[~all_] > 0.5).mean() < 0.1


@pytest.mark.parametrize("box", [(40, 50, 60, 100), (-10, 5, 60, 35), (300.5, 20.25, 310, 40)])
def test_the_box_of_the_ink_is_where_the_ink_is(box: Box) -> None:
    left, top, right, bottom = box
    ink = np.zeros((SIDE, SIDE), np.float32)
    ink[15:65, 15:65] = 1  # the longer side of the box is 50 pixels of the crop
    found = box_of_ink(ink, box)
    middle, side = ((left + right) / 2, (top + bottom) / 2), max(right - left, bottom - top)
    assert found == pytest.approx(
        [middle[0] - side / 2, middle[1] - side / 2, middle[0] + side / 2, middle[1] + side / 2]
    )
    assert box_of_ink(np.zeros((SIDE, SIDE), np.float32), box) == box


def blurred_stroke() -> tuple[Field, Field]:
    """Return a probability that is blurred, and pale along a part, and the levels of the crop."""
    probability, levels = (np.zeros((SIDE, SIDE), np.float32) for _ in range(2))
    probability[20:60, 36:44], probability[20:60, 38:42] = 0.4, 0.9
    probability[56:60, 42:60] = 0.3
    levels[20:60, 38:42] = levels[56:60, 42:60] = levels[5:8, 5:8] = -1
    return probability, levels


def test_the_levels_of_the_picture_sharpen_the_ink_and_fill_pale_strokes() -> None:
    sharp = _sharpened(*blurred_stroke())
    assert (sharp[20:60, 38:42] > 0.9).all()
    assert (sharp[20:50, 36:38] < 0.1).all()
    assert (sharp[56:60, 42:60] > 0.5).all()


def test_specks_that_the_network_takes_for_paper_stay_paper() -> None:
    probability, levels = blurred_stroke()
    probability[5:8, 5:8] = 0.2
    assert (_sharpened(probability, levels)[5:8, 5:8] == 0).all()


def test_without_contrast_the_ink_is_as_the_network_says() -> None:
    probability, levels = blurred_stroke()
    np.testing.assert_array_equal(_sharpened(probability, 0 * levels), probability)
    nothing = np.zeros_like(probability)
    np.testing.assert_array_equal(_sharpened(nothing, levels), nothing)
