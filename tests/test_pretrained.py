"""The model in the box: small, accurate, sure of itself as far as it may be, and in the wheel."""

import json
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_mnist.data import digits
from cnn_mnist.data.load import load
from cnn_mnist.evaluate import evaluate
from cnn_mnist.infer import PRETRAINED, Model

ROOT = Path(__file__).parent.parent
FIGURES = json.loads((ROOT / "benchmarks/results/pretrained.json").read_text("utf-8"))


def test_it_is_small() -> None:
    assert PRETRAINED.stat().st_size == FIGURES["file_bytes"] <= 4 << 20


def test_it_says_what_it_is() -> None:
    metadata = Model(PRETRAINED).metadata
    assert metadata == FIGURES["metadata"]
    assert metadata["dataset"] == "mnist"
    assert json.loads(metadata["recipe"])["steps"] == int(metadata["global_step"])
    assert 0.5 < float(metadata["temperature"]) < 2


@pytest.mark.mnist
def test_it_reads_mnist_as_its_card_says(mnist_dir: Path) -> None:
    result = evaluate(Model(PRETRAINED).classify, load("mnist", mnist_dir).test)
    assert result["n"] == 10_000
    assert result["accuracy"] == pytest.approx(FIGURES["accuracy"], abs=1e-4)
    assert result["accuracy"] >= 0.997
    assert result["expected_calibration_error"] <= 0.003


def test_it_reads_digits_of_another_source_too() -> None:
    test = digits.load().test  # scikit-learn's: other writers, blurred by being 8x8 once
    assert evaluate(Model(PRETRAINED).classify, test)["accuracy"] > 0.85


def test_the_figures_of_its_card_are_those_measured() -> None:
    card = (PRETRAINED.parent / "README.md").read_text("utf-8")
    assert f"{FIGURES['accuracy']:.2%}".replace("%", " %") in card
    assert f"{FIGURES['expected_calibration_error']:.2%}".replace("%", " %") in card
    assert f"{FIGURES['file_bytes'] / 1e6:.1f} MB" in card


def test_a_wheel_carries_it_and_predicts_where_nothing_else_is_installed(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels = ["--no-deps", "--wheel-dir", str(tmp_path)]
    subprocess.run([*pip, "wheel", *wheels, str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "fresh", with_pip=False, symlinks=True)
    python = tmp_path / "fresh" / "bin" / "python"
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    install = [*pip, "--python", str(python), "install", *constraints, str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    test = digits.load().test
    seven = test.images[list(test.labels).index(7)]
    Image.fromarray(255 - seven.repeat(4, axis=0).repeat(4, axis=1)).save(tmp_path / "seven.png")
    np.save(tmp_path / "seven.npy", seven)
    command = [python, "-m", "cnn_mnist", "predict", "seven.png", "seven.npy", "--json"]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    assert [image["text"] for image in answer["images"]] == ["7", "7"]
