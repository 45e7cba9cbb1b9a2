"""Pictures and arrays are read in order; candidates that are not digits are refused."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from linear_model import IMAGES, expected, save
from PIL import Image, ImageDraw

import cnn_mnist
from cnn_mnist.data import idx
from cnn_mnist.errors import DataError, ImageError
from cnn_mnist.inference.model import Model
from cnn_mnist.reading import reader
from cnn_mnist.reading.arrays import is_array, read_array, to_array
from cnn_mnist.reading.finder import Candidate
from cnn_mnist.reading.reader import read
from cnn_mnist.reading.rejector import NOT_A_DIGIT, REJECTOR, TOO_SHORT, _pool
from cnn_mnist.reading.result import Reading

DARK = np.zeros((28, 28), np.float32)


class Oracle:
    """Replaces a model: the index of an image's only lit pixel is its class; 10 is not a digit."""

    metadata = {"threshold": "0.5"}  # noqa: RUF012

    def __init__(self, classes: int = 10, names: tuple[str, ...] = ()) -> None:
        self.classes = classes
        self.class_names = names or tuple(map(str, range(classes)))

    def predict(
        self, images: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        truth = images.reshape(len(images), -1).argmax(axis=1)
        probabilities = np.full((len(images), self.classes), 0.01, np.float32)
        probabilities[np.arange(len(images)), np.minimum(truth, self.classes - 1)] = 1
        return probabilities, probabilities / probabilities.sum(axis=1, keepdims=True)


def candidate(
    class_: int,
    start: int,
    stop: int,
    *,
    pieces: int = 1,
    cuts: int = 0,
    box: tuple[int, int, int, int] = (0, 0, 10, 20),
) -> Candidate:
    """Make a candidate that the oracle reads as `class_`."""
    image = DARK.copy()
    image.flat[class_] = 1
    return Candidate(image=image, box=box, start=start, stop=stop, pieces=pieces, cuts=cuts)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a function that reads a picture in which the given candidates are found."""

    def read_rows(*rows: list[Candidate]) -> Reading:
        monkeypatch.setattr(reader, "find_candidates", lambda picture: list(rows))
        monkeypatch.setattr(
            reader, "_open_model", lambda path: Oracle(11 if path == REJECTOR else 10)
        )
        Image.new("L", (9, 9)).save(tmp_path / "any.png")
        return read(tmp_path / "any.png")

    return read_rows


OTHER = 10  # the rejector's last class


def test_rows_are_joined_in_the_text_and_kept_apart_in_the_lines(reads: Any) -> None:
    reading = reads([candidate(1, 0, 1), candidate(2, 1, 2)], [candidate(3, 0, 1)])
    assert reading.text == "123"
    assert reading.text_lines == ("12", "3")
    assert [digit.class_ for digit in reading.digits] == [1, 2, 3]


def test_a_refused_candidate_has_a_reason_and_is_not_in_the_text(reads: Any) -> None:
    reading = reads([candidate(4, 0, 1), candidate(OTHER, 1, 2)])
    assert reading.text == "4"
    refused = reading.digits[1].to_dict()
    assert refused["class"] is None
    assert refused["reason"] == NOT_A_DIGIT
    assert len(refused["probabilities"]) == 10


def test_a_broken_digit_is_read_as_one(reads: Any) -> None:
    parts = [candidate(OTHER, 0, 1), candidate(5, 0, 2, pieces=2), candidate(OTHER, 1, 2)]
    assert reads(parts).text == "5"


def test_two_digits_are_not_read_as_one(reads: Any) -> None:
    assert (
        reads([candidate(1, 0, 1), candidate(OTHER, 0, 2, pieces=2), candidate(1, 1, 2)]).text
        == "11"
    )


def test_touching_digits_are_cut_where_both_halves_are_digits(reads: Any) -> None:
    halves = [candidate(6, 0, 1, cuts=1), candidate(7, 1, 2, cuts=1)]
    assert reads([*halves, candidate(OTHER, 0, 2)]).text == "67"


def test_a_digit_is_not_cut_though_its_halves_look_like_digits(reads: Any) -> None:
    halves = [candidate(1, 0, 1, cuts=1), candidate(1, 1, 2, cuts=1)]
    assert reads([*halves, candidate(0, 0, 2)]).text == "0"


def test_a_candidate_is_not_cut_where_only_one_half_is_a_digit(reads: Any) -> None:
    halves = [candidate(1, 0, 1, cuts=1), candidate(OTHER, 1, 2, cuts=1)]
    assert reads([*halves, candidate(OTHER, 0, 2)]).text == ""


def test_dirt_much_smaller_than_the_digits_is_dropped(reads: Any) -> None:
    dirt = candidate(OTHER, 1, 2, box=(0, 0, 4, 6))
    assert len(reads([candidate(3, 0, 1), dirt]).digits) == 1


def test_a_fragment_much_shorter_than_its_neighbour_is_refused(reads: Any) -> None:
    short = (0, 0, 5, 7)
    parts = [candidate(1, 0, 1, box=short), candidate(7, 0, 2, pieces=2), candidate(7, 1, 2)]
    assert reads(parts).text == "7"
    heights = (21, 12, 12, 8)
    row = [candidate(n, n, n + 1, box=(0, 0, 9, height)) for n, height in enumerate(heights)]
    assert [digit.reason for digit in reads(row).digits] == [None] * 3 + [TOO_SHORT]
    assert reads([candidate(1, 0, 1, box=(0, 0, 5, 8)), candidate(7, 1, 2)]).text == "17"


def test_two_probabilities_are_pooled() -> None:
    sure, unsure = np.array([[0.9, 0.1]], np.float32), np.array([[0.5, 0.5]], np.float32)
    np.testing.assert_allclose(_pool(sure, unsure), [[0.75, 0.25]], atol=1e-6)
    against = np.array([[0.001, 0.999]], np.float32)
    assert _pool(sure, against).argmax() == 1


def test_a_blank_picture_holds_no_digits(reads: Any) -> None:
    reading = reads()
    assert reading.digits == ()
    assert reading.text == ""


def test_a_file_that_is_not_an_image_is_refused(model: Model) -> None:
    with pytest.raises(ImageError):
        read(b"not an image", model)


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


def test_a_face_a_letter_and_a_scribble_are_not_digits(tmp_path: Path) -> None:
    face, letter, scribble = (Image.new("L", (200, 200), 255) for _ in range(3))
    draw = ImageDraw.Draw(face)
    draw.ellipse((30, 30, 170, 170), outline=0, width=6)
    for box in ((70, 75, 82, 87), (118, 75, 130, 87)):
        draw.ellipse(box, fill=0)
    draw.arc((70, 90, 130, 145), 20, 160, fill=0, width=6)
    pen = ImageDraw.Draw(letter)
    pen.line([(40, 160), (60, 40), (100, 130), (140, 40), (160, 160)], 0, 9, joint="curve")
    places = np.random.default_rng(3).integers(30, 170, (40, 2))
    ImageDraw.Draw(scribble).line([tuple(place) for place in places.tolist()], 0, 4)
    for number, picture in enumerate((face, letter, scribble)):
        picture.save(tmp_path / f"{number}.png")
        assert read(tmp_path / f"{number}.png").text == ""


def test_reading_never_imports_torch(tmp_path: Path) -> None:
    code = (
        "import sys, cnn_mnist\n"
        "assert cnn_mnist.read(sys.argv[1]).text == '7'\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, seven(tmp_path)], check=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model(save(tmp_path_factory.mktemp("reading") / "model.onnx"), threads=1)


# --- array files


def test_an_array_file_is_classified_image_by_image(model: Model, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    idx.write(tmp_path / "images-idx3-ubyte", IMAGES)
    idx.write(tmp_path / "images-idx3-ubyte.gz", IMAGES)
    classes = expected(IMAGES).argmax(axis=1).tolist()
    for name in ("images.npy", "images-idx3-ubyte", "images-idx3-ubyte.gz"):
        digits = list(read_array(model, tmp_path / name))
        assert [digit.class_ for digit in digits] == classes
        assert {digit.box for digit in digits} == {(0, 0, 28, 28)}
        assert digits[0].probability == max(digits[0].probabilities)
        assert sum(digits[0].probabilities) == pytest.approx(1)


@pytest.mark.parametrize(("shape", "count"), [((28, 28), 1), ((0, 28, 28), 0), ((3, 1, 28, 28), 3)])
def test_an_array_file_may_hold_one_image_or_none(
    shape: tuple[int, ...], count: int, model: Model, tmp_path: Path
) -> None:
    np.save(tmp_path / "images.npy", np.zeros(shape, np.uint8))
    assert len(list(read_array(model, tmp_path / "images.npy"))) == count


class Trap:
    """Ends the test when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("unpickled",)


def write_pickle(path: Path) -> None:
    np.save(path, np.array([Trap()], dtype=object), allow_pickle=True)


def write_zip(path: Path) -> None:
    with path.open("wb") as stream:
        np.savez(stream, IMAGES)


def write_truncated(path: Path) -> None:
    np.save(path, IMAGES)
    path.write_bytes(path.read_bytes()[:-1])


def write_scalar(path: Path) -> None:
    np.save(path, np.float64(3))


def write_vector(path: Path) -> None:
    np.save(path, np.zeros(28))


def write_nothing(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize(
    "write",
    [write_pickle, write_zip, write_truncated, write_scalar, write_vector, write_nothing],
)
def test_an_array_file_of_another_form_is_refused(write: Any, model: Model, tmp_path: Path) -> None:
    write(tmp_path / "images.npy")
    with pytest.raises(ImageError):
        list(read_array(model, tmp_path / "images.npy"))


def test_a_missing_array_file_is_named(model: Model, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"images\.npy"):
        list(read_array(model, tmp_path / "images.npy"))
    with pytest.raises(DataError, match="images-idx3-ubyte"):
        list(read_array(model, tmp_path / "images-idx3-ubyte"))


def test_upper_case_and_content_decide_what_an_array_is(model: Model, tmp_path: Path) -> None:
    classes = expected(IMAGES).argmax(axis=1).tolist()
    np.save(tmp_path / "images.npy", IMAGES)
    idx.write(tmp_path / "images.idx", IMAGES)
    for name, source in {
        "IMAGES.NPY": "images.npy",
        "no-suffix": "images.npy",
        "other.dat": "images.idx",
        "T10K-IMAGES-IDX3-UBYTE.GZ": "images.idx",
    }.items():
        path = tmp_path / name
        path.write_bytes((tmp_path / source).read_bytes())
        assert is_array(path)
        assert [digit.class_ for digit in read_array(model, path)] == classes


@pytest.mark.parametrize("name", ["scan-ubyte.png", "ubyte.JPG", "a.idx.tif", "IMG.HEIC", "a.pdf"])
def test_an_image_suffix_makes_a_picture_whatever_else_is_in_the_name(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(b"\x93NUMPY")
    assert not is_array(tmp_path / name)


@pytest.mark.parametrize("name", ["pipe.npy", "pipe-ubyte", "pipe"])
def test_a_pipe_is_neither_waited_for_nor_read_as_an_array(
    name: str, model: Model, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / name)
    assert is_array(tmp_path / name) is (name != "pipe")
    with pytest.raises(ImageError, match=f"{name} cannot be read: it is not a regular file"):
        list(read_array(model, tmp_path / name))


# --- networks of other than ten classes


@pytest.mark.parametrize("classes", [2, 9, 26, 27])
def test_a_network_of_other_classes_gives_its_own_and_the_rejector_only_refuses(
    classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = [candidate(1, 0, 1), candidate(26, 1, 2), candidate(OTHER, 2, 3)]
    monkeypatch.setattr(reader, "find_candidates", lambda picture: [row])
    network, rejector = Oracle(classes), Oracle(11)
    reading = read(np.zeros((9, 9), np.uint8), network, rejector=rejector)  # type: ignore[arg-type]
    own = network.predict(np.stack([c.image for c in row]))[1]
    assert [digit.class_ for digit in reading.digits] == [1, None, None]  # 26 is none of ten digits
    np.testing.assert_array_equal([digit.probabilities for digit in reading.digits], own)


def read_row(row: list[Candidate], network: Oracle, monkeypatch: pytest.MonkeyPatch) -> Reading:
    monkeypatch.setattr(reader, "find_candidates", lambda picture: [row])
    blank = np.zeros((9, 9), np.uint8)
    return read(blank, network, rejector=Oracle(11))  # type: ignore[arg-type]


def test_nothing_is_refused_for_its_form_where_the_classes_are_letters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = [candidate(1, 0, 1), candidate(26, 1, 2), candidate(OTHER, 2, 3)]
    names = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ?")
    reading = read_row(row, Oracle(27, names), monkeypatch)
    assert [digit.name for digit in reading.digits] == ["B", names[26], names[OTHER]]
    assert reading.text == f"B{names[26]}{names[OTHER]}"


def test_ten_classes_that_are_not_the_digits_are_the_networks_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Oracle(10, ("cat", "dog", *"CDEFGHIJ"))
    row = [candidate(1, 0, 1), candidate(0, 1, 2)]
    reading = read_row(row, network, monkeypatch)
    own = network.predict(np.stack([c.image for c in row]))[1]
    np.testing.assert_array_equal([digit.probabilities for digit in reading.digits], own)
    assert reading.text == "dog cat"


def test_of_a_network_of_some_digits_the_rejector_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    row = [candidate(1, 0, 1), candidate(OTHER, 1, 2)]
    reading = read_row(row, Oracle(2, ("3", "7")), monkeypatch)
    assert [digit.name for digit in reading.digits] == ["7", None]


# --- images in memory, for `Classifier.predict`


def test_lists_and_tensors_become_arrays() -> None:
    bytes_, floats = IMAGES[:3], (IMAGES[:3] / 255).astype(np.float32)
    for given, array in [
        (bytes_, bytes_),
        (list(bytes_), bytes_),
        (bytes_.tolist(), bytes_),
        (floats.tolist(), floats),
        (torch.from_numpy(bytes_), bytes_),
        (torch.from_numpy(floats).requires_grad_(), floats),
        (list(torch.from_numpy(floats)), floats),
        (tuple(torch.from_numpy(bytes_)), bytes_),
    ]:
        np.testing.assert_allclose(to_array(given), array)
    half = to_array(torch.from_numpy(floats).bfloat16())
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, floats, atol=0.01)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (None, "images cannot be of type NoneType: give an array, a torch tensor or a list"),
        ("images.npy", "images cannot be of type str"),
        ([np.zeros((28, 28)), np.zeros((5, 5))], "the images of the list differ in shape"),
        ([[[1, 2], [3]]], "the images of the list differ in shape"),
        ([None], "images cannot be of type NoneType"),
    ],
)
def test_images_of_another_type_get_one_clear_sentence(images: Any, sentence: str) -> None:
    with pytest.raises(ImageError, match=sentence):
        to_array(images)
