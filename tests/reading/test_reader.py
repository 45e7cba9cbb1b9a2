"""Pictures are read line by line; candidates that are not digits are refused."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from linear_model import save
from PIL import Image, ImageDraw

import cnn_mnist
from cnn_mnist.errors import ImageError
from cnn_mnist.inference.model import BUNDLED, Model
from cnn_mnist.reading.decode import Picture
from cnn_mnist.reading.finder import Candidate, Findings, Place
from cnn_mnist.reading.reader import read
from cnn_mnist.reading.result import Reading
from cnn_mnist.reading.signs import ALONE, LETTER, TEXT, UNSURE

DARK = np.zeros((28, 28), np.float32)


class Oracle:
    """Replaces a model: the index of an image's only lit pixel is its class."""

    def __init__(self, classes: int = 10, names: tuple[str, ...] = ()) -> None:
        self.classes = classes
        self.class_names = names or tuple(map(str, range(classes)))

    def predict(
        self, images: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        truth = images.reshape(-1, 28 * 28).argmax(axis=1)
        probabilities = np.full((len(images), self.classes), 0.01, np.float32)
        probabilities[np.arange(len(images)), np.minimum(truth, self.classes - 1)] = 1
        return probabilities, probabilities / probabilities.sum(axis=1, keepdims=True)


class Found:
    """Replaces the finder: it finds what it is given."""

    def __init__(self, *lines: list[Candidate], turns: int = 0, fields: list[Place] = []) -> None:  # noqa: B006
        self.findings = Findings(list(lines), turns, fields)
        self.asked_for_fields = False

    def find(self, picture: Picture, *, fields: bool = False) -> Findings:
        self.asked_for_fields = fields
        return self.findings


def candidate(character: int | str, *, is_sure: bool = True) -> Candidate:
    """Make a digit that the oracle reads as this class; a letter, `a` to `c`; or a sign."""
    image, box = DARK.copy(), (0, 0, 10, 20)
    if isinstance(character, int):
        image.flat[character] = 1
        return Candidate(image, box, is_sure)
    image.flat[1] = 1
    if character in "abc":
        return Candidate(image, box, is_sure, is_letter=True)
    return Candidate(image, box, is_sure, sign=character)


def candidates(*characters: int | str) -> list[Candidate]:
    return [candidate(character) for character in characters]


def reading_of(*lines: list[Candidate], model: Oracle | None = None, **how: Any) -> Reading:
    """Read a picture in which the given candidates are found."""
    return read_found(Found(*lines), model, **how)


def read_found(found: Found, model: Oracle | None = None, **how: Any) -> Reading:
    return read(np.zeros((9, 9), np.uint8), model or Oracle(), finder=found, **how)  # type: ignore[arg-type]


def test_rows_are_joined_in_the_text_and_kept_apart_in_the_lines() -> None:
    reading = reading_of(candidates(1, 2), candidates(3))
    assert reading.text == "123"
    assert reading.text_lines == ("12", "3")
    assert [digit.class_ for digit in reading.digits] == [1, 2, 3]


def test_a_refused_candidate_has_a_reason_and_is_not_in_the_text() -> None:
    reading = reading_of([candidate(4), candidate(5, is_sure=False), *candidates("a")])
    assert reading.text == "4"
    assert [digit.reason for digit in reading.digits] == [None, UNSURE, LETTER]
    refused = reading.digits[1].to_dict()
    assert refused["class"] is None
    assert refused["reason"] == UNSURE
    assert len(refused["probabilities"]) == 10


def test_a_line_of_letters_is_left_alone_and_the_others_are_read() -> None:
    reading = reading_of(candidates("a", "b", "c", 7), candidates(4, 2))
    assert reading.text == "42"
    assert reading.text_lines == ("42",)
    assert [digit.reason for digit in reading.digits] == [LETTER, LETTER, LETTER, TEXT, None, None]


def test_the_signs_of_a_number_are_in_its_text_and_dirt_is_not() -> None:
    reading = reading_of(candidates("-", 3, ".", 1, 4), candidates(7, "."))
    assert reading.text_lines == ("-3.14", "7")
    assert [digit.sign for digit in reading.lines[0]] == ["-", None, ".", None, None]
    assert {digit.class_ for digit in reading.digits if digit.sign} == {None}
    assert reading.lines[1][1].reason == ALONE


def test_digits_only_leaves_out_signs_and_nothing_else() -> None:
    line = [*candidates("-", 3, ".", 1, "a"), candidate(4, is_sure=False)]
    reading = reading_of(line, candidates("-"), digits_only=True)
    assert reading.text == "31"
    assert [digit.reason for digit in reading.digits] == [None, None, LETTER, UNSURE]
    assert len(reading.lines) == 1


def test_a_blank_picture_holds_no_digits() -> None:
    reading = reading_of()
    assert reading.digits == ()
    assert reading.text == ""


def test_a_picture_that_was_turned_says_so_in_degrees() -> None:
    assert read_found(Found(candidates(1, 2, 3), turns=3)).turned == 270
    assert reading_of(candidates(1)).turned == 0


FORM = [Place(1, 1, (0, 0, 9, 9)), Place(1, 3, (20, 0, 29, 9)), Place(2, 1, (0, 10, 9, 19))]


def test_the_fields_of_a_form_hold_what_stands_in_them_and_a_line_is_a_row_of_them() -> None:
    found = Found(candidates(1, ".", 5), candidates(2), candidates(7, "a"), fields=FORM)
    reading = read_found(found, fields=True)
    assert found.asked_for_fields
    assert reading.fields is not None
    assert [(f.row, f.column, f.box, f.text) for f in reading.fields] == [
        (1, 1, (0, 0, 9, 9), "1.5"),
        (1, 3, (20, 0, 29, 9), "2"),
        (2, 1, (0, 10, 9, 19), "7"),
    ]
    assert reading.text_lines == ("1.52", "7")
    assert [len(line) for line in reading.lines] == [4, 2]
    only_digits = read_found(found, fields=True, digits_only=True)
    assert [field.text for field in only_digits.fields or ()] == ["15", "2", "7"]


def test_an_empty_field_is_there_without_text() -> None:
    reading = read_found(Found([], [], candidates(7), fields=FORM), fields=True)
    assert [field.text for field in reading.fields or ()] == ["", "", "7"]
    assert reading.text_lines == ("7",)


def test_of_a_page_without_a_form_no_fields_are_told_and_the_page_is_read() -> None:
    reading = reading_of(candidates(1, 2), fields=True)
    assert (reading.fields, reading.text) == ((), "12")
    found = Found(candidates(1, 2))
    assert (read_found(found).fields, found.asked_for_fields) == (None, False)


def test_a_whole_picture_is_one_digit_whatever_else_could_be_found_in_it() -> None:
    found = Found(candidates(1, 2, 3))
    grey = np.zeros((60, 40), np.uint8)
    grey[20:40, 10:30] = 255
    reading = read(grey, Oracle(784), finder=found, whole=True)  # type: ignore[arg-type]
    (digit,) = reading.digits
    assert digit.box == (0, 0, 40, 60)
    assert digit.image.shape == (28, 28)
    rows, columns = np.nonzero(digit.image > 0.5)
    assert abs(np.ptp(rows) + 1 - 28 / 3) <= 1.5  # a third of the height, and square
    assert abs(np.ptp(columns) - np.ptp(rows)) <= 1


def test_a_file_that_is_not_an_image_is_refused() -> None:
    with pytest.raises(ImageError):
        read(b"not an image")


# --- with the bundled models


def seven(tmp_path: Path) -> Path:
    page = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(page).line([(120, 60), (180, 58), (140, 150)], "navy", 9, joint="curve")
    page.save(tmp_path / "seven.jpg")
    return tmp_path / "seven.jpg"


def test_a_drawn_seven_is_read_from_a_path_a_name_and_bytes(tmp_path: Path) -> None:
    path = seven(tmp_path)
    for picture in (path, str(path), path.read_bytes()):
        result = cnn_mnist.read(picture)
        assert result.text == "7"
        (digit,) = result.digits
        assert digit.probability == max(digit.probabilities) > 0.5
        assert np.abs(np.array(digit.box) - (116, 54, 185, 154)).max() <= 6


def test_a_letter_and_a_scribble_are_not_digits() -> None:
    letter, scribble = (Image.new("L", (200, 200), 255) for _ in range(2))
    pen = ImageDraw.Draw(letter)
    pen.line([(40, 160), (60, 40), (100, 130), (140, 40), (160, 160)], 0, 9, joint="curve")
    places = np.random.default_rng(3).integers(30, 170, (40, 2))
    ImageDraw.Draw(scribble).line([tuple(place) for place in places.tolist()], 0, 4)
    for picture in (letter, scribble):
        assert read(picture).text == ""


def test_a_model_may_be_given_by_its_path(tmp_path: Path) -> None:
    for model in (BUNDLED, str(BUNDLED)):
        assert read(seven(tmp_path), model).text == "7"


def test_a_model_file_that_was_replaced_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(BUNDLED.read_bytes())
    assert read(seven(tmp_path), path).text == "7"
    save(path)
    replaced = read(seven(tmp_path), path).digits[0]
    assert replaced == read(seven(tmp_path), Model(path)).digits[0]
    assert replaced.probabilities != read(seven(tmp_path)).digits[0].probabilities


def test_reading_never_imports_torch(tmp_path: Path) -> None:
    code = (
        "import sys, cnn_mnist\n"
        "assert cnn_mnist.read(sys.argv[1]).text == '7'\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, seven(tmp_path)], check=True)


# --- networks of other than ten classes

ROW = [candidate(1), candidate(26), candidate(0, is_sure=False), *candidates("a", "-")]


@pytest.mark.parametrize("classes", [2, 9, 26, 27])
def test_a_network_of_other_classes_gives_its_own_and_what_is_not_a_digit_is_refused(
    classes: int,
) -> None:
    network = Oracle(classes)
    reading = reading_of(ROW, model=network)
    own = network.predict(np.stack([c.image for c in ROW]))[1]
    assert [digit.class_ for digit in reading.digits] == [1, min(26, classes - 1), *[None] * 3]
    np.testing.assert_array_equal([digit.probabilities for digit in reading.digits], own)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ?"), "B?ABB"),
        (("cat", "dog", *"CDEFGHIJ"), "dog J cat dog dog"),
    ],
)
def test_nothing_is_refused_where_the_classes_are_not_digits(
    names: tuple[str, ...], text: str
) -> None:
    network = Oracle(len(names), names)
    reading = reading_of(ROW, model=network)
    own = network.predict(np.stack([c.image for c in ROW]))[1]
    np.testing.assert_array_equal([digit.probabilities for digit in reading.digits], own)
    assert reading.text == text
    assert {(digit.reason, digit.sign) for digit in reading.digits} == {(None, None)}


def test_a_network_of_some_digits_refuses_as_one_of_all() -> None:
    reading = reading_of([candidate(1), *candidates("a")], model=Oracle(2, ("3", "7")))
    assert [digit.name for digit in reading.digits] == ["7", None]
