"""Ink and paper differ in grey levels, whatever their colours; levels are stretched."""

import numpy as np
import pytest
from PIL import Image

from cnn_mnist.reading.grey import border_level, normalise, resize, to_grey

INK = np.zeros((40, 60), np.bool_)
INK[10:30, 20:28] = True


def painted(ink: tuple[int, ...], paper: tuple[int, ...]) -> np.ndarray:
    """Return a picture `(40, 60, 3)` with a block of ink."""
    return np.where(INK[..., None], ink, paper).astype(np.uint8)


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ((230, 195, 30), (255, 150, 200)),
        ((0, 200, 0), (255, 90, 0)),
        ((200, 200, 0), (176, 176, 255)),
    ],
    ids=["yellow on pink", "green on red", "yellow on blue"],
)
def test_ink_of_another_colour_but_as_bright_as_its_paper_gets_the_full_contrast(
    ink: tuple[int, ...], paper: tuple[int, ...]
) -> None:
    picture = painted(ink, paper)
    bright = np.asarray(Image.fromarray(picture).convert("L")).astype(int)
    assert np.ptp(bright) < 25
    grey = to_grey(picture).astype(int)
    assert np.median(grey[~INK]) - np.median(grey[INK]) > 200  # the paper has more of all colours


@pytest.mark.parametrize(
    "picture",
    [painted((30, 30, 30), (200, 200, 200)), painted((0, 0, 128), (255, 255, 255))],
    ids=["grey", "blue on white"],
)
def test_a_picture_whose_brightness_tells_ink_from_paper_becomes_its_brightness(
    picture: np.ndarray,
) -> None:
    grey = to_grey(picture)
    assert (grey.shape, grey.dtype) == (INK.shape, np.uint8)
    np.testing.assert_array_equal(grey, np.asarray(Image.fromarray(picture).convert("L")))


@pytest.mark.parametrize(("ink", "paper"), [(30, 200), (220, 40), (140, 180)])
def test_levels_are_stretched_so_that_paper_is_0_and_ink_is_1_away(ink: int, paper: int) -> None:
    levels = normalise(np.where(INK, ink, paper).astype(np.uint8))
    assert levels.dtype == np.float32
    assert np.median(levels) == 0
    np.testing.assert_allclose(levels[INK], 1 if ink > paper else -1)


def test_the_noise_of_a_blank_page_is_not_stretched() -> None:
    noise = np.random.default_rng(0).integers(198, 203, (80, 80)).astype(np.uint8)
    assert np.abs(normalise(noise)).max() < 0.2
    assert not normalise(np.full((1, 1), 255, np.uint8)).any()


def test_the_border_has_the_level_of_most_of_it_though_a_stroke_crosses_it() -> None:
    page = np.full((40, 60), 210, np.uint8)
    page[:, 10:25] = 20
    page[5:-5, 5:-5] = 90
    assert border_level(page) == 210


@pytest.mark.parametrize("factor", [0.001, 0.5, 2])
def test_a_picture_keeps_a_pixel_of_each_side_when_it_is_resized(factor: float) -> None:
    resized = resize(np.full((1, 300), 99, np.uint8), factor)
    assert resized.shape == (max(1, round(factor)), max(1, round(300 * factor)))
    assert (resized == 99).all()
