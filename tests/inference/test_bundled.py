"""The bundled model: small, accurate, calibrated, and in the wheel."""

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image
from results import result

from cnn_mnist.data import digits
from cnn_mnist.data.load import load
from cnn_mnist.evaluation.metrics import evaluate
from cnn_mnist.inference.model import BUNDLED, Model
from cnn_mnist.networks.build import build
from cnn_mnist.recipe import Recipe

ROOT = Path(__file__).parents[2]
FIGURES = result("pretrained")


def test_it_is_small() -> None:
    assert BUNDLED.stat().st_size == FIGURES["file_bytes"] <= 4 << 20


def test_its_metadata_says_what_it_is() -> None:
    metadata = Model(BUNDLED).metadata
    assert metadata == FIGURES["metadata"]
    assert metadata["dataset"] == "mnist-and-drawn"
    assert json.loads(metadata["recipe"])["steps"] == int(metadata["global_step"])
    # smoothed labels leave a network less sure than it may be
    assert 0.4 < float(metadata["temperature"]) < 1


def test_it_is_the_network_that_its_recipe_names() -> None:
    recipe = Recipe.from_dict(json.loads(FIGURES["metadata"]["recipe"]))
    kept = {weights.name: tuple(weights.dims) for weights in onnx.load(BUNDLED).graph.initializer}
    for name, weights in build(recipe, 10).named_parameters():
        if weights.dim() > 1:  # of kernels and matrices; normalisations may be part of them
            assert kept.pop(name) == weights.shape
    assert not [name for name, shape in kept.items() if len(shape) > 1]


@pytest.mark.mnist
def test_it_reads_mnist_as_its_card_says(mnist_dir: Path) -> None:
    scores = evaluate(Model(BUNDLED).classify, load("mnist", mnist_dir).test)
    assert scores["n"] == 10_000
    assert scores["accuracy"] == pytest.approx(FIGURES["accuracy"], abs=1e-4)
    assert scores["accuracy"] >= 0.997
    assert scores["expected_calibration_error"] <= 0.006


def test_it_reads_digits_of_another_source_too() -> None:
    test = digits.load().test  # scikit-learn's: other writers, blurred by being 8x8 once
    assert evaluate(Model(BUNDLED).classify, test)["accuracy"] > 0.85


def test_a_wheel_carries_it_and_works_where_nothing_else_is_installed(
    tmp_path: Path, idx_folder: Path
) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels = ["--no-deps", "--wheel-dir", str(tmp_path)]
    subprocess.run([*pip, "wheel", *wheels, str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "fresh", with_pip=False, symlinks=True)
    python = tmp_path / "fresh" / "bin" / "python"
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    install = [*pip, "--python", str(python), "install", *constraints, str(wheel)]
    subprocess.run(install, check=True, capture_output=True)

    def answer(*arguments: object) -> Any:
        command = [str(python), "-m", "cnn_mnist", *map(str, arguments), "--json"]
        done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        return json.loads(done.stdout.splitlines()[-1])

    test = digits.load().test
    seven = test.images[list(test.labels).index(7)]
    Image.fromarray(255 - seven.repeat(4, axis=0).repeat(4, axis=1)).save(tmp_path / "seven.png")
    np.save(tmp_path / "seven.npy", seven)
    read = answer("predict", "seven.png", "seven.npy")
    assert [image["text"] for image in read["images"]] == ["7", "7"]
    scores = answer("evaluate", "--data", idx_folder)
    assert scores["global_step"] == int(FIGURES["metadata"]["global_step"])
    assert scores["n"] > 0
