"""From pixels to candidates: characters in reading order, each digit's ink in MNIST's form."""

from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from drawings import drawing
from forms import box_of, table
from marks import FakeDetector, mark

from cnn_mnist.data import idx
from cnn_mnist.data.dataset import CENTRE, IMAGE_SIZE
from cnn_mnist.reading import finder as finder_module
from cnn_mnist.reading.decode import Picture, decode
from cnn_mnist.reading.detector import Box, Mark
from cnn_mnist.reading.finder import Candidate, Finder, Findings
from cnn_mnist.reading.ink import SIDE, image_of_ink

Grey = npt.NDArray[np.uint8]

SEVEN = np.asarray(drawing())


def picture(pixels: np.ndarray, size: tuple[int, int] | None = None) -> Picture:
    colours = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=2)
    return Picture(colours.astype(np.uint8), size or (pixels.shape[1], pixels.shape[0]))


# --- what is done with the characters that are found


class FakeInk:
    """Replaces the network that masks ink: a bar as upright or as flat as the box."""

    def of(self, grey: Grey, boxes: list[Box]) -> list[npt.NDArray[np.float32]]:
        inks = []
        for left, top, right, bottom in boxes:
            ink = np.zeros((SIDE, SIDE), np.float32)
            ink[20:60, 38:42] = 1
            inks.append(ink if bottom - top > right - left else ink.T)
        return inks


class FakeRejector:
    """Replaces the rejector: flat bars are no digits."""

    threshold = 0.3

    def digit_probabilities(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        spans = [[np.ptp(places) for places in np.nonzero(image)] for image in images]
        return np.array([height > width for height, width in spans], np.float32)


def find(
    monkeypatch: pytest.MonkeyPatch, page: Picture, *answers: list[Mark], fields: bool = False
) -> Findings:
    """Return the findings of a page in which the given characters are seen."""
    monkeypatch.setattr(finder_module, "Detector", lambda: FakeDetector(*answers))
    monkeypatch.setattr(finder_module, "InkMask", lambda: FakeInk())
    monkeypatch.setattr(finder_module, "Rejector", lambda: FakeRejector())
    monkeypatch.setattr(finder_module, "box_of_ink", lambda ink, box: box)
    return Finder().find(page, fields=fields)


PAGE = picture(np.full((300, 400), 255, np.uint8))


def test_characters_come_in_reading_order_each_with_its_own_ink(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    below, right = mark((10, 200, 40, 250)), mark((90, 12, 120, 60))
    left, minus = mark((50, 10, 80, 62)), mark((10, 30, 40, 40), "-")
    found = find(monkeypatch, PAGE, [below, right, left, minus])
    assert [[c.box for c in line] for line in found.lines] == [
        [minus.box, left.box, right.box],
        [below.box],
    ]
    flat = [np.ptp(np.nonzero(c.image)[1]) > np.ptp(np.nonzero(c.image)[0]) for c in found.lines[0]]
    assert flat == [True, False, False]
    assert found.fields == []
    assert found.quarter_turns == 0


def test_a_candidate_is_a_digit_a_sign_or_a_letter_and_sure_or_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kinds = [("7", 0.9), ("7", 0.3), ("letter", 0.9), (".", 0.9), ("-", 0.3)]
    marks = [
        mark((40 * n, 10, 40 * n + 30, 60), character, score)
        for n, (character, score) in enumerate(kinds)
    ]
    (line,) = find(monkeypatch, PAGE, marks).lines
    assert [c.is_digit for c in line] == [True, True, False, False, False]
    assert [c.is_letter for c in line] == [False, False, True, False, False]
    assert [c.sign for c in line] == [None, None, None, ".", "-"]
    assert [c.is_sure for c in line] == [True, False, True, True, False]


@pytest.mark.parametrize(
    ("score", "upright", "flat"),
    [(0.9, True, True), (0.6, True, False), (0.4, True, False)],
)
def test_a_doubtful_digit_without_a_row_needs_the_rejector(
    monkeypatch: pytest.MonkeyPatch, score: float, upright: bool, flat: bool
) -> None:
    for box, sure in (((10, 10, 40, 60), upright), ((10, 10, 60, 40), flat)):
        ((found,),) = find(monkeypatch, PAGE, [mark(box, "7", score)]).lines
        assert found.is_sure is sure


def test_what_is_hardly_seen_and_not_accepted_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find(monkeypatch, PAGE, [mark((10, 10, 40, 60), "7", 0.16)]).lines == []
    far = mark((10, 200, 60, 230), "7", 0.4)
    ((refused,),) = find(monkeypatch, PAGE, [far]).lines
    assert not refused.is_sure


def test_in_a_row_of_digits_the_rejector_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = [mark((60 * n, 10, 60 * n + 50, 40), "7", 0.6) for n in range(3)]
    (line,) = find(monkeypatch, PAGE, marks).lines
    assert all(found.is_sure for found in line)


def test_boxes_are_in_pixels_of_the_original_size_and_stay_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = picture(np.full((300, 400), 255, np.uint8), (1200, 900))
    marks = [mark((-5, 10, 30, 60)), mark((100, 260, 130, 304)), mark((399.9, 100, 400.4, 100.1))]
    found = find(monkeypatch, page, marks)
    boxes = [c.box for line in found.lines for c in line]
    assert boxes == [(0, 30, 90, 180), (1199, 300, 1200, 301), (300, 780, 390, 900)]


@pytest.mark.parametrize(
    ("quarters", "first"),
    [(1, (30, 280, 60, 290)), (2, (380, 240, 390, 270)), (3, (340, 10, 370, 20))],
)
def test_a_picture_is_turned_upright_and_boxes_are_those_of_the_picture_as_it_was(
    monkeypatch: pytest.MonkeyPatch, quarters: int, first: Box
) -> None:
    row = [mark((10 + 20 * n, 30, 20 + 20 * n, 60)) for n in range(5)]
    answers = [[mark(m.box, "7", 0.4) for m in row]] * 4
    answers[quarters] = row
    found = find(monkeypatch, PAGE, *answers)
    assert found.quarter_turns == quarters
    (line,) = found.lines
    assert len(line) == 5
    assert line[0].box == first


def test_a_page_on_which_nothing_is_seen_has_no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find(monkeypatch, PAGE, []).lines == []
    assert find(monkeypatch, PAGE, [], fields=True).fields == []


def in_field(row: int, column: int, at: int = 0) -> Mark:
    """Return a digit in a field of the table."""
    left, top, _, _ = box_of(row, column)
    return mark((left + 20 + at, top + 15, left + 40 + at, top + 65))


def test_each_field_of_a_form_has_a_line_of_what_stands_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heading = mark((200, 5, 220, 35))
    marks = [in_field(2, 2), heading, in_field(1, 1, 40), in_field(1, 1)]
    page = picture(np.asarray(table(2, 2)))
    found = find(monkeypatch, page, marks, fields=True)
    places = [(field.row, field.column) for field in found.fields]
    assert places == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert [[c.box for c in line] for line in found.lines] == [
        [in_field(1, 1).box, in_field(1, 1, 40).box],
        *([], []),
        [in_field(2, 2).box],
    ]
    assert np.abs(np.array(found.fields[3].box) - box_of(2, 2)).max() <= 5
    assert len(find(monkeypatch, page, marks).lines) == 3  # not asked for


def test_in_the_fields_of_a_form_the_same_is_accepted_as_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = picture(np.asarray(table(2, 2)))
    flat = [
        mark((left + 20, top + 20, left + 70, top + 40), "7", 0.6)
        for left, top, _, _ in (box_of(1, 1), box_of(1, 2))
    ]
    (row,) = find(monkeypatch, page, flat).lines
    found = find(monkeypatch, page, flat, fields=True)
    assert len(found.fields) == 4
    in_fields = [c for line in found.lines for c in line]
    assert [c.is_sure for c in in_fields] == [c.is_sure for c in row] == [True, True]


def test_half_a_form_is_no_form(monkeypatch: pytest.MonkeyPatch) -> None:
    beside = [mark((500 + 40 * n, 40, 520 + 40 * n, 90)) for n in range(2)]
    page = picture(np.pad(np.asarray(table(2, 2)), ((0, 0), (0, 400)), constant_values=255))
    marks = [in_field(2, 2), in_field(1, 1), *beside]
    found = find(monkeypatch, page, marks, fields=True)
    assert found.fields == []
    assert sum(map(len, found.lines)) == 4


def test_the_loops_of_characters_are_no_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    page = picture(np.asarray(table(2, 2)))
    around = [
        mark((left - 60, top - 60, right + 60, bottom + 60))
        for left, top, right, bottom in (box_of(1, 1), box_of(1, 2), box_of(2, 1))
    ]
    assert find(monkeypatch, page, around, fields=True).fields == []


def test_fields_are_in_pixels_of_the_original_size(monkeypatch: pytest.MonkeyPatch) -> None:
    page = table(2, 2)
    double = picture(np.asarray(page), (2 * page.width, 2 * page.height))
    found = find(monkeypatch, double, [], fields=True)
    assert np.abs(np.array(found.fields[0].box) - 2 * np.array(box_of(1, 1))).max() <= 10
    assert found.lines == [[]] * 4


def test_where_there_is_no_form_the_page_is_read_as_without_fields(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = find(monkeypatch, PAGE, [mark((50, 10, 80, 62))], fields=True)
    assert (found.fields, len(found.lines)) == ([], 1)


# --- with the true networks


@pytest.fixture(scope="module")
def finder() -> Finder:
    return Finder()


def only(finder: Finder, pixels: np.ndarray) -> Candidate:
    """Return the one candidate of a picture."""
    ((candidate,),) = finder.find(picture(pixels)).lines
    assert candidate.is_digit
    assert candidate.is_sure
    return candidate


def differ(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first - second).mean())


@pytest.mark.parametrize("level", [0, 100, 255])
@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (28, 28), (200, 100), (1, 1280), (1280, 1)])
def test_a_blank_page_has_no_digit(finder: Finder, level: int, shape: tuple[int, int]) -> None:
    assert finder.find(picture(np.full(shape, level, np.uint8)), fields=True).lines == []


def test_a_shadow_on_paper_is_not_a_digit(finder: Finder) -> None:
    x, y = np.meshgrid(np.linspace(0, 1, 300), np.linspace(0, 1, 200))
    assert finder.find(picture(230 - 120 * x * y)).lines == []


@pytest.mark.parametrize(("ink", "paper"), [(255, 0), (90, 200), (200, 90), (110, 150)])
def test_light_and_dark_faint_and_strong_ink_give_the_same_digit(
    finder: Finder, ink: int, paper: int
) -> None:
    grey = np.where(SEVEN == 30, ink, paper)
    assert differ(only(finder, grey).image, only(finder, SEVEN).image) < 0.03


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ((255, 255, 0), (255, 255, 255)),
        ((60, 70, 200), (180, 230, 30)),
        ((255, 90, 180), (150, 210, 255)),
        ((0, 200, 0), (200, 0, 0)),
        ((230, 195, 30), (255, 150, 200)),
    ],
    ids=["yellow on white", "blue on lime", "pink on sky", "green on red", "yellow on pink"],
)
def test_ink_of_any_colour_is_found_on_paper_of_any_colour(
    finder: Finder, ink: tuple[int, ...], paper: tuple[int, ...]
) -> None:
    colours = np.where((SEVEN == 30)[..., None], np.array(ink), np.array(paper))
    assert differ(only(finder, colours).image, only(finder, SEVEN).image) < 0.03


def test_uneven_light_does_not_change_a_digit(finder: Finder) -> None:
    page = np.asarray(drawing((300, 200), (120, 60), 2))
    x, y = np.meshgrid(np.linspace(0, 1, 300), np.linspace(0, 1, 200))
    shaded = page * (1 - 0.4 * x * y)
    assert differ(only(finder, shaded).image, only(finder, page).image) < 0.03


def test_a_large_photo_has_boxes_in_its_own_pixels(finder: Finder) -> None:
    page = drawing((2560, 1280), (1000, 300), 20)
    stream = BytesIO()
    page.save(stream, "PNG")
    ((candidate,),) = finder.find(decode(stream.getvalue())).lines
    rows, columns = np.nonzero(np.asarray(page) < 128)
    true = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    assert np.abs(np.array(candidate.box) - true).max() <= 80


# --- MNIST's form


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_the_size_and_the_place_of_a_digit_hardly_change_it(finder: Finder, scale: int) -> None:
    page = np.asarray(drawing((600, 500), (300, 120), scale))
    assert differ(only(finder, page).image, only(finder, SEVEN).image) < 0.05


def test_a_digit_is_in_mnists_form(finder: Finder) -> None:
    image = only(finder, SEVEN).image
    assert (image.shape, image.dtype) == ((28, 28), np.float32)
    assert image.min() == 0
    assert 0.9 < image.max() <= 1


@pytest.mark.mnist
def test_images_of_mnist_stay_almost_unchanged(finder: Finder, mnist_dir: Path) -> None:
    images = idx.read(mnist_dir / "mnist" / "train-images-idx3-ubyte.gz")[:200]
    differences = []
    for image in images:
        found = [c for line in finder.find(picture(image)).lines for c in line if c.is_digit]
        differences.extend(differ(c.image, image / 255) for c in found if len(found) == 1)
    assert len(differences) > 0.9 * len(images)
    assert np.mean(differences) < 0.035


@pytest.mark.parametrize("flip", [1, -1])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_centre_of_mass_lies_as_in_mnist(flip: int, axis: int) -> None:
    ink = (SEVEN[::flip] == 30).astype(np.float32)
    mass = image_of_ink(ink).sum(axis=1 - axis, dtype=np.float64)
    centre = mass @ (np.arange(IMAGE_SIZE) + 0.5) / mass.sum()
    assert abs(centre - CENTRE) <= 0.5 + 1e-6


def test_faint_traces_around_the_ink_do_not_make_a_digit_smaller() -> None:
    ink = (SEVEN == 30).astype(np.float32)
    traces = ink.copy()
    traces[:4], traces[-4:] = 0.4, 0.4
    np.testing.assert_array_equal(image_of_ink(traces), image_of_ink(ink))


def test_where_there_is_no_ink_the_image_is_blank() -> None:
    image = image_of_ink(np.full((SIDE, SIDE), 0.4, np.float32))
    assert (image.shape, image.dtype, image.any()) == ((28, 28), np.float32, np.False_)
