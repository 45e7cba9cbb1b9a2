"""Test `cnn-mnist evaluate`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import invoke, result_of
from PIL import Image

from cnn_mnist.data import idx
from cnn_mnist.data.load import load


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
    (tmp_path / "mine").mkdir()
    splits = [(digits.validation, digits.train), (digits.test,)]
    for name, parts in zip(("train", "t10k"), splits, strict=True):
        for kind, arrays in (
            ("images-idx3", [part.images for part in parts]),
            ("labels-idx1", [part.labels for part in parts]),
        ):
            idx.write(tmp_path / "mine" / f"{name}-{kind}-ubyte", np.concatenate(arrays))
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
