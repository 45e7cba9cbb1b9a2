"""Test `cnn-mnist evaluate`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import invoke, result_of
from PIL import Image


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
