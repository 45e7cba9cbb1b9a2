"""Test the command line: the other commands, exit codes, completion, help."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from commands import invoke, refusal, result_of

from cnn_mnist.cli import VERBS, cli


def test_trials_return_mean_sd_n_and_each_accuracy(tmp_path: Path) -> None:
    result = result_of(
        *("trials", "--data", "digits", "--network", "softmax", "--steps", 30),
        *("--n", 2, "--run-dir", tmp_path / "t"),
    )
    assert result["n"] == len(result["accuracies"]) == 2
    assert result["mean"] == pytest.approx(np.mean(result["accuracies"]))
    assert result["sd"] == pytest.approx(np.std(result["accuracies"], ddof=1))
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == ["seed-0", "seed-1"]


def test_model_shows_the_same_parameters_for_a_network_a_run_and_a_file(
    trained_run: tuple[Path, Any],
) -> None:
    assert result_of("model")["parameters"] == 3_274_634
    network, run, file = (
        result_of("model", target)
        for target in ("small", trained_run[0], trained_run[0] / "model.onnx")
    )
    assert network["parameters"] == run["parameters"]
    # in the file the batch normalisation is folded into the dense layer before it
    assert file["parameters"] == network["parameters"] - 2 * 256
    assert network["flops"] == file["flops"]
    assert [layer["name"] for layer in network["layers"]][:2] == ["crop", "conv1"]
    assert "3,274,634" in invoke("model").stdout


def test_data_lists_and_verifies_data_sets(mnist_dir: Path) -> None:
    assert [row["name"] for row in result_of("data", "list")["datasets"]][:2] == [
        "mnist",
        "digits",
    ]
    verified = result_of("data", "verify", "mnist", "--data-dir", mnist_dir)
    assert verified["files"]["train-images-idx3-ubyte"] == [60000, 28, 28]


def test_a_drawing_must_be_a_png_file(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jpg"
    line = refusal("predict", "--explain", sheet, "x", exit_code=2)
    assert f"{sheet} must be a PNG file" in line


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["train", "--steps", "-1"], "--steps"),
        (["train", "--nothing"], "--nothing"),
        (["report"], "R..."),
        (["nothing"], "nothing"),
        (["data", "fetch", "nothing"], "nothing"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(args: list[str], says: str) -> None:
    assert says in refusal(*args, exit_code=2)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["train", "--data", "nowhere"], "nowhere"),
        (["train", "--data-dir", "nowhere"], "nowhere"),
        (["train", "--data", "digits", "--log-tensors", "nothing", "--run-dir", "r"], "nothing"),
        (["evaluate", "nowhere"], "nowhere"),
        (["evaluate", "."], "holds no trained network"),
        (["predict", "--model", "nowhere", "x.png"], "nowhere"),
        (["export", "nowhere"], "nowhere"),
        (["model", "nowhere"], "nowhere"),
        (["data", "verify", "mnist"], "not on this machine"),
    ],
)
def test_a_wrong_path_is_one_line_and_exit_code_3(
    args: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in refusal(*args)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_the_verbs(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_CNN_MNIST_COMPLETE", f"{shell}_source")
    result = CliRunner().invoke(cli, [], prog_name="cnn-mnist")
    assert "cnn-mnist" in result.stdout
    assert f"{shell}_complete" in result.stdout


def test_every_verb_has_help() -> None:
    verbs = [
        *("train", "evaluate", "predict", "serve", "trials", "compare", "report"),
        *("export", "import", "recipe", "model", "data"),
    ]
    assert list(VERBS) == verbs
    for verb in verbs:
        assert invoke(verb, "--help").exit_code == 0
