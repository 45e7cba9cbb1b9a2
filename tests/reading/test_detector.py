"""Characters are found at the resolution that shows them, each once, in the picture's pixels."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from drawings import drawing
from marks import mark, scores_of

from cnn_mnist.reading import detector as detector_module
from cnn_mnist.reading.detector import CLASSES, LETTER, STRIDE, Box, Detector, Mark

See = Callable[[npt.NDArray[np.float32]], list[Mark]]


class Session:
    """Replaces the network: it answers what `see` says that its input shows."""

    def __init__(self, see: See) -> None:
        self.see = see
        self.sides: list[int] = []
        """The longest side of each input."""

    def run(self, _: None, inputs: dict[str, Any]) -> list[npt.NDArray[np.float32]]:
        (picture,) = inputs["pictures"][0]
        self.sides.append(max(picture.shape))
        height, width = (side // STRIDE for side in picture.shape)
        scores = np.zeros((len(CLASSES), height, width), np.float32)
        boxes = np.zeros((4, height, width), np.float32)
        for seen in self.see(picture):
            left, top, right, bottom = (side / STRIDE for side in seen.box)
            x, y = (left + right) / 2, (top + bottom) / 2
            column, row = int(x), int(y)
            scores[:, row, column] = seen.scores
            sides = np.log([right - left, bottom - top])
            boxes[:, row, column] = (x - column - 0.5, y - row - 0.5, *sides)
        return [scores[None], boxes[None]]

    def get_modelmeta(self) -> SimpleNamespace:
        return SimpleNamespace(custom_metadata_map={"least_score": "0.4"})


@pytest.fixture
def seeing(monkeypatch: pytest.MonkeyPatch) -> Callable[[See], tuple[Detector, Session]]:
    """Return a function that makes a detector of what its network sees."""

    def make(see: See) -> tuple[Detector, Session]:
        session = Session(see)
        monkeypatch.setattr(detector_module, "open_session", lambda *_, **__: session)
        return Detector(), session

    return make


def blocks(picture: npt.NDArray[np.float32]) -> list[Mark]:
    """See a 1 in every dark block."""
    ink = (picture < -0.5).astype(np.uint8)
    _, _, boxes, _ = cv2.connectedComponentsWithStats(ink)
    return [
        mark((left, top, left + width, top + height), "1")
        for left, top, width, height, _ in boxes[1:].tolist()
    ]


def page(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (400, 300)) -> np.ndarray:
    """Return a white page with black blocks."""
    grey = np.full(size[::-1], 255, np.uint8)
    for left, top, right, bottom in boxes:
        grey[top:bottom, left:right] = 0
    return grey


def near(first: Box, second: Box, tolerance: float) -> bool:
    return bool(np.abs(np.array(first) - second).max() <= tolerance)


@pytest.mark.parametrize("size", [(90, 60), (400, 300), (1000, 700), (1280, 90)])
def test_boxes_are_in_pixels_of_the_picture_whatever_its_size(
    seeing: Any, size: tuple[int, int]
) -> None:
    width, height = size
    box = (width // 2, height // 4, width // 2 + height // 4, height * 3 // 4)
    (found,) = seeing(blocks)[0].find(page(box, size=size))
    assert near(found.box, box, 0.02 * max(size))
    assert CLASSES[found.class_] == "1"


def test_large_characters_need_one_look_and_a_second_adds_nothing_to_them(seeing: Any) -> None:
    detector, session = seeing(blocks)
    large = (300, 100, 500, 500)
    assert len(detector.find(page(large, size=(1000, 700)))) == 1
    assert session.sides == [128]


def test_small_characters_are_looked_at_again_at_a_finer_resolution(seeing: Any) -> None:
    detector, session = seeing(blocks)
    large, small = (300, 100, 500, 500), (800, 500, 860, 620)
    found = sorted(detector.find(page(large, small, size=(1000, 700))), key=lambda m: m.box)
    assert session.sides == [128, 256]
    assert near(found[0].box, large, 20)
    assert near(found[1].box, small, 10)
    assert len(found) == 2


def test_the_smallest_characters_are_found_at_the_finest_resolution(seeing: Any) -> None:
    detector, session = seeing(blocks)
    small = (800, 500, 808, 516)
    (found,) = detector.find(page(small, size=(1000, 700)))
    assert session.sides == [128, 256, 512, 1024]
    assert near(found.box, small, 3)


def test_a_finer_look_adds_no_large_characters(seeing: Any) -> None:
    first = mark((20, 20, 32, 40), "1")  # small: it is looked at again
    for side, count in ((60, 1), (90, 0)):
        again = mark((100, 100, 120, 100 + side), "8")
        looks = iter([[first], [again]])
        detector, _ = seeing(lambda _, looks=looks: next(looks, []))
        found = detector.find(page(size=(250, 240)))
        assert [CLASSES[m.class_] for m in found] == ["1", *["8"] * count]


def test_a_page_that_shows_nothing_is_looked_at_up_to_its_own_resolution(seeing: Any) -> None:
    for longest, sides in ((100, [128]), (400, [128, 256, 512]), (3000, [128, 256, 512, 1024])):
        detector, session = seeing(lambda _: [])
        assert detector.find(page(size=(longest, 60))) == []
        assert session.sides == sides


def test_what_is_smaller_than_a_character_can_be_is_not_accepted(seeing: Any) -> None:
    assert seeing(blocks)[0].find(page((800, 500, 803, 504), size=(1000, 700))) == []


def seen(seeing: Any, *marks: Mark) -> list[Mark]:
    """Return what is kept of characters that are seen in a page of 100 x 100 pixels.

    Boxes are given and returned in the detector's pixels, of which the margin takes 12.
    """
    found: list[Mark] = seeing(lambda _: list(marks))[0].find(page(size=(100, 100)))
    return found


def test_of_two_boxes_of_one_character_the_surer_is_kept(seeing: Any) -> None:
    once, again = mark((40, 40, 70, 80), "7", 0.6), mark((46, 42, 74, 82), "1", 0.8)
    (kept,) = seen(seeing, once, again)
    assert kept.score == pytest.approx(0.8)


def test_a_part_of_a_digit_is_dropped_but_not_the_sign_beside_it(seeing: Any) -> None:
    whole, part = mark((20, 20, 60, 100), "8", 0.9), mark((24, 24, 56, 44), "0", 0.5)
    assert [CLASSES[m.class_] for m in seen(seeing, whole, part)] == ["8"]
    inside = mark((50, 88, 58, 98), ".", 0.5)
    assert [CLASSES[m.class_] for m in seen(seeing, whole, inside)] == ["8", "."]


def test_digits_that_touch_are_both_kept_surest_first(seeing: Any) -> None:
    left, right = mark((20, 40, 62, 100), "4", 0.7), mark((56, 40, 92, 100), "9", 0.9)
    assert [CLASSES[m.class_] for m in seen(seeing, left, right)] == ["9", "4"]


def test_a_character_whose_middle_is_outside_the_picture_is_dropped(seeing: Any) -> None:
    assert seen(seeing, mark((0, 40, 20, 80))) == []
    assert seen(seeing, mark((90, 112, 120, 126))) == []
    assert len(seen(seeing, mark((4, 40, 24, 80)))) == 1


def test_a_character_that_is_hardly_there_is_dropped(seeing: Any) -> None:
    assert seen(seeing, mark((40, 40, 70, 80), "7", 0.1)) == []
    assert len(seen(seeing, mark((40, 40, 70, 80), "7", 0.2))) == 1


def test_a_mark_is_a_digit_a_letter_or_a_sign_by_its_highest_score() -> None:
    box = (0.0, 0.0, 10.0, 20.0)
    digit = Mark(box, scores_of("3", 0.6) + scores_of("letter", 0.5))
    assert (digit.is_digit, digit.class_, digit.side) == (True, 3, 20)
    assert digit.score == pytest.approx(0.6)
    letter = Mark(box, scores_of("3", 0.4) + scores_of("letter", 0.5))
    assert (letter.is_digit, letter.class_) == (False, LETTER)
    minus = mark(box, "-")
    assert (minus.is_digit, CLASSES[minus.class_]) == (False, "-")


# --- with the true network


@pytest.mark.parametrize("light_on_dark", [False, True])
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_drawn_digit_is_found_about_where_it_is(scale: int, light_on_dark: bool) -> None:
    grey = np.asarray(drawing((80 * scale, 60 * scale), (30 * scale, 12 * scale), scale))
    rows, columns = np.nonzero(grey < 128)
    true = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    detector = Detector()
    (found,) = detector.find(255 - grey if light_on_dark else grey)
    assert CLASSES[found.class_] == "7"
    assert found.score > detector.least_score
    assert near(found.box, true, 5 * scale)
