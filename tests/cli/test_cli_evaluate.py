"""Test `cnn-mnist evaluate`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import invoke, refusal, result_of
from PIL import Image

from cnn_mnist.cli.score_text import score_text
from cnn_mnist.data import idx
from cnn_mnist.data.load import load
from cnn_mnist.evaluation.metrics import metrics


def test_evaluate_gives_the_same_metrics_for_a_run_and_its_model_file(
    trained_run: tuple[Path, Any],
) -> None:
    run_dir, result = trained_run
    run = result_of("evaluate", run_dir)
    file = result_of("evaluate", run_dir / "model.onnx", "--data", "digits")
    for key in ("accuracy", "loss", "global_step", "n", "confusion"):
        assert key in run
    assert run["accuracy"] == file["accuracy"] == result["accuracy"]
    assert run["confusion"] == file["confusion"]
    assert run["loss"] == pytest.approx(file["loss"], abs=1e-5)
    assert run["n"] == np.sum(run["confusion"]) == 297
    assert result_of("evaluate", run_dir, "--split", "validation")["n"] == 125


def test_evaluate_prints_a_report_for_people(trained_run: tuple[Path, Any]) -> None:
    text = invoke("evaluate", trained_run[0]).stdout
    assert "accuracy" in text
    assert "precision" in text


def test_evaluate_draws_the_mistakes(trained_run: tuple[Path, Any], tmp_path: Path) -> None:
    for number, target in enumerate((trained_run[0], trained_run[0] / "model.onnx")):
        sheet = tmp_path / f"{number}.png"
        result_of("evaluate", target, "--data", "digits", "--mistakes", sheet)
        with Image.open(sheet) as image:
            assert image.width > 128
    assert (tmp_path / "0.png").read_bytes() == (tmp_path / "1.png").read_bytes()


def test_evaluate_writes_all_mistakes_as_a_list_or_a_folder_of_pictures(tmp_path: Path) -> None:
    args = ("evaluate", "--data", "digits", "--mistakes")  # of the bundled model
    result = result_of(*args, tmp_path / "out.json")
    rows = json.loads((tmp_path / "out.json").read_text())
    wrong = result["n"] - round(result["accuracy"] * result["n"])
    assert len(rows) == wrong > 0
    for place in (tmp_path / "out", f"{tmp_path}/v1.0/"):
        result_of(*args, place)
        assert {path.name for path in Path(place).iterdir()} == {
            f"{row['label']}-as-{row['predicted']}-{row['index']:05d}.png" for row in rows
        }
    said = invoke(*args, tmp_path / "v1.0").stderr  # a folder that is there, whatever its name
    assert f"all {wrong} mistakes" in said


def test_mistakes_are_written_in_no_other_form(tmp_path: Path) -> None:
    line = refusal("evaluate", "--mistakes", tmp_path / "out.gif", exit_code=2)
    assert "out.gif: expected OUT.png, OUT.json or a folder OUT/" in line


def test_evaluate_prints_the_metrics_even_if_it_cannot_draw(
    trained_run: tuple[Path, Any], tmp_path: Path
) -> None:
    target = trained_run[0] / "model.onnx"
    nowhere = tmp_path / "nowhere" / "sheet.png"
    result = invoke("evaluate", target, "--data", "digits", "--mistakes", nowhere)
    assert result.exit_code == 3
    assert "accuracy" in result.stdout
    assert f"{nowhere} cannot be written" in result.stderr


def warnings_of(*args: object) -> list[str]:
    """Return the warning lines of a command that must succeed."""
    result = invoke(*args)
    assert result.exit_code == 0, result.stderr
    return [line for line in result.stderr.splitlines() if line.startswith("warning: ")]


@pytest.mark.parametrize("verb", ["evaluate", "report", "export"])
def test_a_run_that_meets_other_data_than_its_own_is_named_with_both_by_their_hashes(
    trained_run: tuple[Path, Any], idx_folder: Path, tmp_path: Path, verb: str
) -> None:
    run_dir, _ = trained_run
    place = {"report": ["--out", tmp_path / "a"], "export": ["--output", tmp_path / "a"]}
    args = (verb, run_dir, *place.get(verb, []))
    assert warnings_of(*args) == []
    (line,) = warnings_of(*args, "--data", idx_folder)
    for data in (load("digits"), load(str(idx_folder))):
        assert f"{data.name} (SHA-256 {data.sha256[:12]}" in line


def test_the_same_content_under_another_name_is_the_same_data_set(
    trained_run: tuple[Path, Any], tmp_path: Path
) -> None:
    digits = load("digits")
    assert digits.validation_indices is not None
    whole = digits.train.merged(digits.validation, digits.validation_indices)
    (tmp_path / "mine").mkdir()
    for name, split in (("train", whole), ("t10k", digits.test)):
        idx.write(tmp_path / "mine" / f"{name}-images-idx3-ubyte", split.images)
        idx.write(tmp_path / "mine" / f"{name}-labels-idx1-ubyte", split.labels)
    assert warnings_of("evaluate", trained_run[0], "--data", tmp_path / "mine") == []


def test_a_model_file_that_meets_other_data_than_its_own_is_named_with_both(
    trained_run: tuple[Path, Any], idx_folder: Path
) -> None:
    model = trained_run[0] / "model.onnx"
    assert warnings_of("evaluate", model, "--data", "digits") == []
    (line,) = warnings_of("evaluate", model, "--data", idx_folder)
    assert line.startswith(f"warning: {model} was trained on digits")
    assert "tiny" in line
    (line,) = warnings_of("evaluate", "--data", "digits")  # the bundled model
    assert "was trained on mnist" in line


def scores(names: tuple[str, ...], confusion: np.ndarray) -> dict[str, Any]:
    """Return the metrics that have this confusion matrix."""
    pairs = [
        (label, read) for (label, read), count in np.ndenumerate(confusion) for _ in range(count)
    ]
    labels, predictions = np.array(pairs).T
    logits = np.eye(len(names), dtype=np.float32)[predictions]
    about = {"dataset": "letters", "split": "test", "global_step": 7}
    return metrics(logits, labels.astype(np.uint8), names) | about


def test_named_classes_stand_in_both_tables_under_their_names() -> None:
    confusion = np.array([[3, 1], [0, 2]])
    lines = score_text(scores(("cat", "dog"), confusion)).splitlines()
    assert lines[3].split() == ["class", "precision", "recall", "F1", "images"]
    assert [line.split()[0] for line in lines[4:6]] == ["cat", "dog"]
    assert [line.split() for line in lines[7:]] == [
        ["label", "\\", "predicted", "cat", "dog"],
        ["cat", "3", "1"],
        ["dog", ".", "2"],
    ]


def test_a_matrix_too_wide_for_a_terminal_becomes_a_list_of_the_worst_pairs() -> None:
    names = tuple(map(str, range(62)))
    confusion = 1000 * np.eye(62, dtype=np.int64)
    confusion[10, 24], confusion[1, 47] = 90, 8
    confusion[range(2, 30), range(3, 31)] += 1
    text = score_text(scores(names, confusion))
    assert max(map(len, text.splitlines())) <= 120
    pairs = text.split("confused most often:\n")[1].splitlines()
    assert [line.split() for line in pairs[:3]] == [
        ["label", "predicted", "images"],
        ["10", "24", "90"],
        ["1", "47", "8"],
    ]
    assert len(pairs) == 1 + 20 + 1
    assert pairs[-1] == "and 10 more pairs; --json has the whole matrix"
    right = score_text(scores(names, 1000 * np.eye(62, dtype=np.int64)))
    assert right.endswith("no image was misread")
