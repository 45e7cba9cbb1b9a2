"""Test how `cnn-mnist predict` reads: fields, signs, whole images, turned ones."""

import csv
import json
from pathlib import Path

import linear_model
import numpy as np
import pytest
from commands import invoke, refusal, result_of
from forms import box_of, table
from PIL import Image, ImageDraw

from cnn_mnist.reading.decode import Picture
from cnn_mnist.reading.finder import Candidate, Findings, Place
from cnn_mnist.reading.ink import image_of_ink


def seven() -> Image.Image:
    page = Image.new("L", (60, 50), 255)
    ImageDraw.Draw(page).line([(20, 8), (38, 8), (26, 38)], 30, 4, "curve")
    return page


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """An image of a 7."""
    seven().save(tmp_path / "page.png")
    return tmp_path / "page.png"


@pytest.fixture
def form(tmp_path: Path) -> Path:
    """An image of a table with two rows and columns; the field (2, 1) is empty."""
    table(2, 2, sevens=[(1, 1), (1, 2), (2, 2)]).save(tmp_path / "form.png")
    return tmp_path / "form.png"


# --- fields


def test_fields_are_read_row_by_row_empty_ones_included(form: Path) -> None:
    (image,) = result_of("predict", "--fields", form)["images"]
    fields = [(field["row"], field["column"], field["text"]) for field in image["fields"]]
    assert fields == [(1, 1, "7"), (1, 2, "7"), (2, 1, ""), (2, 2, "7")]
    for field in image["fields"]:
        true = box_of(field["row"], field["column"])
        assert np.abs(np.array(field["box"]) - true).max() <= 5
    assert (image["text"], len(image["digits"])) == ("777", 3)
    (plain,) = result_of("predict", form)["images"]
    assert "fields" not in plain
    assert plain["digits"] == image["digits"]


def test_a_line_of_the_table_for_people_is_a_row_of_the_form(form: Path) -> None:
    _, row = invoke("predict", "--fields", form).stdout.splitlines()
    assert row.split()[:2] == [str(form), "777"]
    _, first, second = invoke("predict", "--fields", "--lines", form).stdout.splitlines()
    assert first.split()[:2] == [str(form), "77"]
    assert second.split() == ["7"]
    (image,) = result_of("predict", "--fields", "--lines", form)["images"]
    assert image["text"] == "77\n7"


def test_csv_has_a_line_for_each_field(form: Path) -> None:
    head, *rows = csv.reader(invoke("predict", "--fields", "--csv", form).stdout.splitlines())
    assert head == ["file", "row", "column", "text", "left", "top", "right", "bottom"]
    assert [row[:4] for row in rows] == [
        [str(form), "1", "1", "7"],
        [str(form), "1", "2", "7"],
        [str(form), "2", "1", ""],
        [str(form), "2", "2", "7"],
    ]
    assert np.abs(np.array(rows[3][4:], int) - box_of(2, 2)).max() <= 5


def test_of_an_image_without_a_form_it_is_said_and_the_digits_are_read(page: Path) -> None:
    _, row = invoke("predict", "--fields", page).stdout.splitlines()
    assert row.startswith(f"{page} (no fields found)  7")
    (image,) = result_of("predict", "--fields", page)["images"]
    assert (image["fields"], image["text"]) == ([], "7")
    head, row = csv.reader(invoke("predict", "--fields", "--csv", page).stdout.splitlines())
    assert head == ["file", "row", "column", "text", "left", "top", "right", "bottom"]
    assert row == [str(page), "1", "", "7", *map(str, image["digits"][0]["box"])]


# --- signs and turned images: what is found is given


class Found:
    """Replaces the finder: it finds what it is given."""

    def __init__(self, *characters: str, turns: int = 0) -> None:
        ink = (np.asarray(seven()) == 30).astype(np.float32)
        line = [
            Candidate(image_of_ink(ink), (n, 0, n + 1, 9), sign=None if each == "7" else each)
            for n, each in enumerate(characters)
        ]
        self.findings = Findings([line], turns, [Place(1, 1, (0, 0, 9, 9))])

    def find(self, picture: Picture, *, fields: bool = False) -> Findings:
        return self.findings


def found(monkeypatch: pytest.MonkeyPatch, *characters: str, turns: int = 0) -> None:
    """Let every image show these digits and signs, in one field."""
    given = Found(*characters, turns=turns)
    monkeypatch.setattr("cnn_mnist.reading.reader._open_finder", lambda: given)


def test_signs_are_shown_as_they_are(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, *"-7.7", "-")
    _, row = invoke("predict", page).stdout.splitlines()
    _, text, *probabilities = row.split()
    assert text == "-7.7"
    assert [p if len(p) == 1 else p[-1] for p in probabilities] == ["-", "%", ".", "%", "?"]
    (image,) = result_of("predict", page)["images"]
    assert [digit.get("sign") for digit in image["digits"]] == ["-", None, ".", None, "-"]
    assert [digit["class"] for digit in image["digits"]] == [None, 7, None, 7, None]
    assert "reason" in image["digits"][-1]


def test_a_spreadsheet_takes_a_number_for_a_number_and_nothing_for_a_formula(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found(monkeypatch, *"-7.7")
    head, *rows = csv.reader(invoke("predict", "--csv", page).stdout.splitlines())
    assert head[-1] == "sign"
    assert [(row[2], row[-1]) for row in rows] == [("", "-"), ("7", ""), ("", "."), ("7", "")]
    _, field = csv.reader(invoke("predict", "--csv", "--fields", page).stdout.splitlines())
    assert field[3] == "-7.7"
    found(monkeypatch, *"-7+7")
    _, field = csv.reader(invoke("predict", "--csv", "--fields", page).stdout.splitlines())
    assert field[3] == "'-7+7"


def test_digits_only_leaves_out_signs(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, *"-7.7", "-")
    (image,) = result_of("predict", "--digits-only", page)["images"]
    assert image["text"] == "77"
    assert len(image["digits"]) == 2
    (image,) = result_of("predict", "--digits-only", "--fields", page)["images"]
    assert [field["text"] for field in image["fields"]] == ["77"]


def test_by_how_much_an_image_was_turned_is_told(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found(monkeypatch, *"777", turns=3)
    _, row = invoke("predict", page).stdout.splitlines()
    assert row.startswith(f"{page} (read turned by 270 degrees clockwise)  777")
    assert result_of("predict", page)["images"][0]["turned"] == 270
    found(monkeypatch, *"777")
    assert "turned" not in invoke("predict", page).stdout
    assert "turned" not in result_of("predict", page)["images"][0]


# --- whole images, and networks of other things


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network that takes what is mostly dark for a cat, and else a dog."""
    weights = np.stack([np.zeros(28 * 28), np.full(28 * 28, 1 / 28)], axis=1)
    monkeypatch.setattr(linear_model, "WEIGHTS", weights.astype(np.float32))
    metadata = {"class_names": json.dumps(["cat", "dog"])}
    return linear_model.save(tmp_path / "pets.onnx", shape=("batch", 2), metadata=metadata)


def test_a_whole_image_is_one_thing_of_the_models_classes(pets: Path, tmp_path: Path) -> None:
    Image.new("RGB", (90, 60), "white").save(tmp_path / "white.png")
    (image,) = result_of("predict", "--model", pets, "--whole", tmp_path / "white.png")["images"]
    (digit,) = image["digits"]
    assert (image["text"], digit["name"], digit["class"]) == ("dog", "dog", 1)
    assert digit["box"] == [0, 0, 90, 60]
    assert digit["probability"] > 0.9
    said = invoke("predict", "--model", pets, "--whole", tmp_path / "white.png").stdout
    assert said.splitlines()[1].split()[1] == "dog"


def test_a_whole_image_in_mnists_form_is_its_digit(tmp_path: Path) -> None:
    ink = image_of_ink((np.asarray(seven()) == 30).astype(np.float32))
    Image.fromarray((ink * 255).astype(np.uint8)).save(tmp_path / "7.png")
    (image,) = result_of("predict", "--whole", tmp_path / "7.png")["images"]
    assert image["text"] == "7"
    assert [digit["box"] for digit in image["digits"]] == [[0, 0, 28, 28]]


@pytest.mark.parametrize("other", ["--fields", "--digits-only"])
def test_whole_and_what_looks_for_digits_exclude_each_other(page: Path, other: str) -> None:
    says = refusal("predict", "--whole", other, page, exit_code=2)
    assert "--whole looks for nothing: leave out --fields and --digits-only" in says


def test_where_nothing_is_found_a_model_of_other_things_is_told_the_way_out(
    pets: Path, tmp_path: Path
) -> None:
    blank = tmp_path / "blank.png"
    Image.new("L", (90, 60), 255).save(blank)
    assert "nothing found: try --whole" in invoke("predict", "--model", pets, blank).stdout
    assert "--whole" not in (said := invoke("predict", blank).stdout)
    assert "no digit" in said
