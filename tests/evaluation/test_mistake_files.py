"""Mistakes as a folder of pictures, and as JSON."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_mnist.data.dataset import Split
from cnn_mnist.errors import ExportError
from cnn_mnist.evaluation.mistake_files import write_mistake_folder, write_mistake_list
from cnn_mnist.evaluation.mistake_sheet import worst_mistakes
from cnn_mnist.evaluation.softmax import softmax

LOGITS = np.array([[4, 0, 0], [0, 9, 0], [0, 1, 0], [2, 2.5, 0]], np.float32)
SPLIT = Split(
    np.random.default_rng(0).integers(0, 256, (4, 28, 28), dtype=np.uint8),
    np.array([0, 2, 0, 0], np.uint8),
)
MISTAKES = worst_mistakes(LOGITS, SPLIT.labels)
NUMBERS = ("0", "1", "2")
FILES = {"2-as-1-00001.png", "0-as-1-00002.png", "0-as-1-00003.png"}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_every_mistake_is_a_picture_named_after_what_it_is(tmp_path: Path) -> None:
    write_mistake_folder(MISTAKES, SPLIT, tmp_path / "out", NUMBERS)
    assert names(tmp_path / "out") == FILES
    picture = np.asarray(Image.open(tmp_path / "out" / "2-as-1-00001.png"))
    np.testing.assert_array_equal(picture[::4, ::4], 255 - SPLIT.images[1])  # dark on light
    assert names(tmp_path) == {"out"}


def test_a_folder_of_earlier_mistakes_is_replaced(tmp_path: Path) -> None:
    write_mistake_folder(MISTAKES, SPLIT, tmp_path / "out", NUMBERS)
    write_mistake_folder(MISTAKES[:1], SPLIT, tmp_path / "out", NUMBERS)
    assert names(tmp_path / "out") == {"2-as-1-00001.png"}
    write_mistake_folder([], SPLIT, tmp_path / "out", NUMBERS)
    assert names(tmp_path / "out") == set()


@pytest.mark.parametrize("name", ["thesis.tex", "photo.png", ".hidden"])
def test_a_folder_of_other_things_is_left_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / "2-as-1-00009.png").touch()
    (tmp_path / name).touch()
    with pytest.raises(ExportError, match=f"{tmp_path} holds {name}"):
        write_mistake_folder(MISTAKES, SPLIT, tmp_path, NUMBERS)
    assert names(tmp_path) == {"2-as-1-00009.png", name}


def test_earlier_mistakes_stay_if_the_new_ones_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mistake_folder(MISTAKES[:1], SPLIT, tmp_path / "out", NUMBERS)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(ExportError, match="out cannot be written: No space left on device"):
        write_mistake_folder(MISTAKES[1:], SPLIT, tmp_path / "out", NUMBERS)
    assert names(tmp_path / "out") == {"2-as-1-00001.png"}


def test_a_class_name_that_is_no_file_name_is_made_one(tmp_path: Path) -> None:
    write_mistake_folder(MISTAKES[:1], SPLIT, tmp_path / "out", ("a", "../b", "T-shirt/top"))
    assert names(tmp_path / "out") == {"T-shirt-top-as-..-b-00001.png"}


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(ExportError, match="out cannot be written"):
        write_mistake_folder(MISTAKES, SPLIT, tmp_path / "out", NUMBERS)


def test_the_list_holds_every_mistake_with_all_probabilities(tmp_path: Path) -> None:
    write_mistake_list(MISTAKES, LOGITS, tmp_path / "out.json", NUMBERS)
    rows = json.loads((tmp_path / "out.json").read_text())
    assert [row["index"] for row in rows] == [1, 2, 3]
    for row in rows:
        assert row.keys() == {"index", "label", "predicted", "probability", "probabilities"}
        assert row["label"] == SPLIT.labels[row["index"]]
        assert row["predicted"] == LOGITS[row["index"]].argmax()
        assert row["probabilities"] == pytest.approx(softmax(LOGITS[row["index"]]))
        assert row["probability"] == pytest.approx(row["probabilities"][row["predicted"]])


def test_classes_with_names_are_listed_with_them(tmp_path: Path) -> None:
    write_mistake_list(MISTAKES[:1], LOGITS, tmp_path / "out.json", ("cat", "1", "Hund"))
    (row,) = json.loads((tmp_path / "out.json").read_text())
    assert (row["label"], row["label_name"], row["predicted"]) == (2, "Hund", 1)
    assert "predicted_name" not in row


def test_a_list_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"out\.json cannot be written"):
        write_mistake_list(MISTAKES, LOGITS, tmp_path / "nowhere" / "out.json", NUMBERS)
