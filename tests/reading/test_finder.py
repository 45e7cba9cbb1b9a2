"""From pixels to candidates: paper, ink, ruled lines, rows, cuts, MNIST's form."""

from io import BytesIO
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cnn_mnist.data import idx
from cnn_mnist.data.dataset import CENTRE, DIGIT_SIZE, IMAGE_SIZE
from cnn_mnist.reading.decode import Picture, decode
from cnn_mnist.reading.finder import Candidate, find_candidates
from cnn_mnist.reading.glyph import STROKE_WIDTHS, to_glyph
from cnn_mnist.reading.opencv import distance_transform

Grey = np.ndarray


def drawing(
    size: tuple[int, int] = (60, 50),
    at: tuple[int, int] = (20, 8),
    scale: float = 1.0,
    width: float = 4.0,
) -> Grey:
    """Draw a dark 7 on a white page, its upper left corner at `at`."""
    page = Image.new("L", size, 255)
    moved = [(at[0] + x * scale, at[1] + y * scale) for x, y in [(0, 0), (18, 0), (6, 30)]]
    pen = max(1, round(width * scale))
    ImageDraw.Draw(page).line(moved, fill=30, width=pen, joint="curve")
    return np.asarray(page)


SEVEN = drawing()


def picture(pixels: Grey) -> Picture:
    colours = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=2)
    return Picture(colours.astype(np.uint8), (pixels.shape[1], pixels.shape[0]))


def rows(pixels: Grey) -> list[list[Candidate]]:
    return find_candidates(picture(pixels))


def only(pixels: Grey) -> Candidate:
    """Return the one candidate of a picture."""
    ((candidate,),) = rows(pixels)
    return candidate


def wholes(pixels: Grey) -> list[list[tuple[int, int, int, int]]]:
    """Return the boxes of each row: of single, uncut pieces."""
    return [
        [c.box for c in row if c.pieces == 1 and c.cuts == 0 and c.stop == c.start + 1]
        for row in rows(pixels)
    ]


def near(first: np.ndarray, second: np.ndarray) -> bool:
    return float(np.abs(first - second).mean()) < 0.03


# --- paper and ink


@pytest.mark.parametrize("level", [0, 100, 255])
@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (28, 28), (200, 100)])
def test_a_blank_page_has_no_digit(level: int, shape: tuple[int, int]) -> None:
    assert rows(np.full(shape, level, np.uint8)) == []


def test_the_grain_of_paper_is_not_a_digit() -> None:
    assert rows(np.random.default_rng(0).integers(240, 255, (100, 100), dtype=np.uint8)) == []


@pytest.mark.parametrize("grain", [0, 3])
def test_a_shadow_on_paper_is_not_a_digit(grain: float) -> None:
    x, y = np.meshgrid(np.linspace(0, 1, 300), np.linspace(0, 1, 200))
    noise = np.random.default_rng(0).normal(0, grain, x.shape)
    assert rows(230 - 120 * x * y + noise) == []


def test_dark_on_light_and_light_on_dark_give_the_same_digit() -> None:
    dark, light = only(SEVEN), only(255 - SEVEN)
    np.testing.assert_allclose(dark.image, light.image, atol=0.02)
    assert dark.box == light.box


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (90, 200), (200, 90), (120, 140)])
def test_faint_and_strong_ink_give_the_same_digit(ink: int, paper: int) -> None:
    grey = np.where(SEVEN == 30, ink, paper)
    assert near(only(grey).image, only(SEVEN).image)


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ((255, 255, 0), (255, 255, 255)),
        ((60, 70, 200), (180, 230, 30)),
        ((255, 90, 180), (150, 210, 255)),
        ((0, 200, 0), (200, 0, 0)),
    ],
    ids=["yellow on white", "blue on lime", "pink on sky", "green on red, as bright"],
)
def test_ink_of_any_colour_is_found_on_paper_of_any_colour(
    ink: tuple[int, ...], paper: tuple[int, ...]
) -> None:
    colours = np.where((SEVEN == 30)[..., None], np.array(ink), np.array(paper))
    assert near(only(colours).image, only(SEVEN).image)


def test_uneven_light_does_not_change_a_digit() -> None:
    page = drawing((300, 200), at=(120, 60), scale=2)
    x, y = np.meshgrid(np.linspace(0, 1, 300), np.linspace(0, 1, 200))
    assert near(only(page * (1 - 0.6 * x * y)).image, only(page).image)


def test_ink_weaker_than_the_shadow_is_found() -> None:
    page = drawing((300, 200), at=(120, 60), scale=2)
    x = np.linspace(0, 1, 300)
    faint = np.where(page == 30, -18, 0) + 80 + 60 * x
    assert any(near(c.image, only(page).image) for row in rows(faint) for c in row)


def test_a_thick_digit_in_a_tight_crop_is_not_mistaken_for_paper() -> None:
    thick = drawing((28, 40), at=(5, 5), width=9)
    dark = only(thick)
    assert near(dark.image, only(np.pad(thick, 30, constant_values=255)).image)


# --- ruled lines, specks, frames


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("slope", [0.0, 0.02])
def test_the_lines_of_ruled_paper_are_removed(axis: int, slope: float) -> None:
    page = drawing((300, 300), at=(120, 60), scale=3)
    ruled = page.copy()
    for offset in range(20, 300, 40):
        along = np.arange(300)
        across = (offset + slope * along).astype(int) % 300
        line = (across, along) if axis == 0 else (along, across)
        ruled[line] = np.minimum(ruled[line], 140)
    largest = max((c for row in rows(ruled) for c in row), key=lambda c: c.box[3] - c.box[1])
    for side, true in zip(largest.box, only(page).box, strict=True):
        assert abs(side - true) <= 4
    assert np.abs(largest.image - only(page).image).mean() < 0.06


def test_specks_are_removed() -> None:
    page = drawing((300, 200), at=(120, 60), scale=3)
    dirty = page.copy()
    places = np.random.default_rng(0).integers(3, 195, (60, 2))
    dirty[places[:, 0], places[:, 1]] = 0
    assert [[box[1] >= 50 for box in row] for row in wholes(dirty)] == [[True]]


def test_the_table_beside_the_paper_is_not_a_digit() -> None:
    page = drawing((400, 300), at=(120, 60), scale=2)
    photo = page.copy()
    photo[:, :30] = 20
    assert near(only(photo).image, only(page).image)


# --- reading order


def sevens(places: list[tuple[int, int]], size: tuple[int, int] = (400, 300)) -> Grey:
    """Draw a page of sevens, 60 pixels high, at the given places."""
    return np.minimum.reduce([drawing(size, at=place, scale=2) for place in places])


def test_a_row_is_read_from_left_to_right_and_rows_from_top_to_bottom() -> None:
    places = [(40, 30), (120, 36), (200, 24), (40, 170), (140, 176)]
    lefts = [[box[0] for box in row] for row in wholes(sevens(places[::-1]))]
    assert [len(row) for row in lefts] == [3, 2]
    assert all(row == sorted(row) for row in lefts)


def test_a_sloping_row_is_one_row() -> None:
    places = [(40 + 60 * n, 30 + 24 * n) for n in range(5)]
    assert [len(row) for row in wholes(sevens(places))] == [5]


def test_a_column_is_read_from_top_to_bottom() -> None:
    tops = [row[0][1] for row in wholes(sevens([(60, 20), (64, 110), (58, 200)]))]
    assert tops == sorted(tops)
    assert len(tops) == 3


def test_the_bar_of_a_five_is_part_of_it() -> None:
    page = Image.new("L", (80, 90), 255)
    draw = ImageDraw.Draw(page)
    draw.arc((20, 35, 55, 75), -110, 140, fill=0, width=5)
    draw.line([(26, 24), (56, 22)], fill=0, width=5)
    (row,) = rows(np.asarray(page))
    assert len({c.start for c in row if c.cuts == 0}) == 1
    assert row[0].box[1] <= 24


def test_a_piece_inside_another_belongs_to_it() -> None:
    page = Image.new("L", (200, 200), 255)
    draw = ImageDraw.Draw(page)
    draw.ellipse((30, 30, 170, 170), outline=0, width=5)
    for left in (70, 115):
        draw.ellipse((left, 70, left + 15, 90), outline=0, width=4)
    assert {c.pieces for row in rows(np.asarray(page)) for c in row if c.cuts == 0} == {1}
    assert len(rows(np.asarray(page))) == 1


@pytest.mark.parametrize("column", [80, 90])
def test_a_broken_stroke_is_a_candidate_as_a_whole(column: int) -> None:
    page = drawing((200, 120), at=(60, 30), scale=2)
    broken = page.copy()
    broken[20:36, column : column + 2] = 255
    (row,) = rows(broken)
    assert only(page).box in {c.box for c in row}


def test_touching_digits_are_candidates_as_one_and_cut() -> None:
    page = sevens([(100, 100), (132, 100)])
    (row,) = rows(page)
    assert any(c.cuts == 0 and c.box[2] - c.box[0] > 60 for c in row)
    halves = [c for c in row if c.cuts == 1]
    assert min(c.box[0] for c in halves) < 110
    assert max(c.box[2] for c in halves) > 160


def test_boxes_are_in_pixels_of_the_original_size() -> None:
    page = drawing((2560, 1280), at=(1000, 300), scale=20)
    stream = BytesIO()
    Image.fromarray(page).save(stream, "PNG")
    ((candidate,),) = find_candidates(decode(stream.getvalue()))
    rows_, columns = np.nonzero(page < 128)
    true = columns.min(), rows_.min(), columns.max() + 1, rows_.max() + 1
    assert np.abs(np.array(candidate.box) - true).max() <= 4


# --- MNIST's form


def test_the_place_of_a_digit_does_not_change_it() -> None:
    corner = only(drawing((300, 200), at=(270, 160)))
    assert near(corner.image, only(SEVEN).image)


@pytest.mark.parametrize("scale", [0.7, 1, 3, 10])
def test_the_size_of_a_digit_hardly_changes_it(scale: float) -> None:
    small = only(drawing((600, 500), at=(200, 80), scale=scale))
    large = only(drawing((600, 500), at=(200, 80), scale=12))
    assert np.abs(small.image - large.image).mean() < 0.05


@pytest.mark.parametrize("width", [0.3, 1, 2, 6, 8])
def test_the_thickness_of_the_pen_is_brought_near_mnists(width: float) -> None:
    image = only(drawing((400, 400), at=(100, 50), scale=9, width=width)).image
    rows_ = (image > 0.3).sum(axis=1)[12:20]  # across the stem, which leans a little
    assert STROKE_WIDTHS[0] - 0.6 <= rows_.mean() <= STROKE_WIDTHS[1] + 1.2
    assert image.max() > 0.8


@pytest.mark.parametrize(("height", "width"), [(40, 20), (20, 40), (33, 30), (200, 30)])
def test_the_longest_side_becomes_20_and_the_aspect_is_nearly_kept(height: int, width: int) -> None:
    ink = np.zeros((height, width), np.float32)
    ink[:4], ink[-4:], ink[:, :4], ink[:, -4:] = 1, 1, 1, 1
    image = to_glyph(ink)
    rows_, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    sides = np.array([np.ptp(rows_) + 1, np.ptp(columns) + 1])
    assert sides.max() == DIGIT_SIZE
    assert abs(sides.min() - DIGIT_SIZE * min(height, width) / max(height, width)) <= 2.5


@pytest.mark.parametrize("flip", [1, -1])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_centre_of_mass_lies_as_in_mnist(flip: int, axis: int) -> None:
    mass = only(SEVEN[::flip]).image.sum(axis=1 - axis, dtype=np.float64)
    centre = mass @ (np.arange(IMAGE_SIZE) + 0.5) / mass.sum()
    assert abs(centre - CENTRE) <= 0.5 + 1e-6


def test_a_digit_is_in_mnists_form() -> None:
    image = only(SEVEN).image
    assert (image.shape, image.dtype) == ((28, 28), np.float32)
    assert image.min() == 0
    assert 0.9 < image.max() <= 1


@pytest.mark.mnist
def test_images_of_mnist_stay_almost_unchanged(mnist_dir: Path) -> None:
    images = idx.read(mnist_dir / "mnist" / "train-images-idx3-ubyte.gz")[:200]
    found = [max(chain(*rows(image)), key=lambda c: np.prod(c.box[2:])).image for image in images]
    assert np.abs(np.stack(found) - images / 255).mean() < 0.032


def test_distances_are_exact_and_the_same_each_time() -> None:
    mask = np.random.default_rng(0).random((60, 50)) < 0.97
    outside = np.argwhere(~mask)
    places = np.argwhere(np.ones_like(mask))
    squares = ((places[:, None] - outside) ** 2).sum(axis=2).min(axis=1).reshape(mask.shape)
    for _ in range(5):
        np.testing.assert_array_equal(distance_transform(mask), np.sqrt(squares.astype(np.float32)))
