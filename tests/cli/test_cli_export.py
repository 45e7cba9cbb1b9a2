"""Test `cnn-mnist export` in the ONNX format."""

from pathlib import Path
from typing import Any

import pytest
from commands import refusal, result_of

from cnn_mnist.export import int8
from cnn_mnist.inference.model import BUNDLED, Model


def test_export_writes_the_model_again_and_reports_the_largest_difference(
    trained_run: tuple[Path, Any],
) -> None:
    (trained_run[0] / "model.onnx").unlink()
    result = result_of("export", trained_run[0])
    assert result["path"] == str(trained_run[0] / "model.onnx")
    assert result["argmax_equal"] is True
    assert result["max_abs_diff"] <= 1e-4
    assert result["n"] == 297
    assert (trained_run[0] / "model.onnx").is_file()


def test_export_lays_out_a_triton_repository(trained_run: tuple[Path, Any], tmp_path: Path) -> None:
    result = result_of("export", trained_run[0], "--triton", "--output", tmp_path)
    assert Path(result["path"]) == tmp_path / "cnn-mnist" / "1" / "model.onnx"
    assert Path(result["config"]) == tmp_path / "cnn-mnist" / "config.pbtxt"
    assert Path(result["path"]).is_file()


def test_export_in_8_bit_arithmetic_classifies_alike_with_the_same_layers(
    trained_run: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = tmp_path / "small.onnx"
    monkeypatch.setattr(int8, "MAX_CHANGED", 0.01)  # of 297 images, two near ties
    result = result_of("export", trained_run[0], "--output", small, "--arithmetic", "int8")
    assert result["changed"] <= 2
    assert small.stat().st_size < 0.45 * (trained_run[0] / "model.onnx").stat().st_size
    ours, theirs = (
        [(layer["name"], layer["parameters"]) for layer in result_of("model", path)["layers"]]
        for path in (small, trained_run[0] / "model.onnx")
    )
    assert ours == theirs
    said = refusal(
        "export", trained_run[0], "--format", "keras", "--arithmetic", "int8", exit_code=2
    )
    assert "--arithmetic int8 works with --format onnx only" in said


def test_the_bundled_model_is_exported_without_an_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = result_of("export", "--data", "digits")
    assert result["path"] == "cnn-mnist.onnx"
    assert result["argmax_equal"]
    assert Model(Path("cnn-mnist.onnx")).metadata == Model(BUNDLED).metadata


def test_a_variant_never_replaces_the_runs_own_model_file(
    trained_run: tuple[Path, Any],
) -> None:
    own = trained_run[0] / "model.onnx"
    before = own.read_bytes()
    result = result_of("export", trained_run[0], "--weights", "int8")
    assert result["path"] == str(trained_run[0] / "model-int8-weights.onnx")
    assert own.read_bytes() == before
    Path(result["path"]).unlink()


def test_export_writes_a_small_calibrated_file_to_another_place(
    trained_run: tuple[Path, Any], tmp_path: Path
) -> None:
    before = (trained_run[0] / "model.onnx").read_bytes()
    small = tmp_path / "small.onnx"
    result = result_of(
        "export", trained_run[0], "--output", small, "--calibrated", "--weights", "int8"
    )
    assert result["path"] == str(small)
    assert small.stat().st_size < len(before) / 3
    assert (trained_run[0] / "model.onnx").read_bytes() == before
    scores = [
        result_of("evaluate", path, "--data", "digits", "--split", "validation")["loss"]
        for path in (trained_run[0], small)
    ]
    assert scores[1] < scores[0]  # the temperature was fitted on these very images
