"""A run directory that version 0.1.0 made is still evaluated, resumed, exported and reported.

tests/fixtures/run-0.1 is such a run: ten steps of the network `small` with dropout and elastic
augmentation, in one thread. After ten more, version 0.1.0 had the weights and the optimizer state
whose SHA-256 stand below; floating point gives them on the kind of machine that is named there.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from tiny import hashes
from tiny import one_thread as one_thread  # a fixture of every test here

from cnn_mnist import Classifier, Model, load
from cnn_mnist.cli import cli
from cnn_mnist.machine import machine, versions

FIXTURE = Path(__file__).parents[1] / "fixtures" / "run-0.1"
AFTER_20_STEPS = (
    "e67687c084ab7772aa93addab38efa972c26fddedf1af828606d9ecabae68b8c",
    "554c15734fb4b9e4ab7a198149c3d8a1b0f0bfdf8e3c0ea078792ba9bc1615b3",
)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURE, tmp_path / "run"))


def test_it_is_evaluated_with_the_same_result(run_dir: Path, idx_folder: Path) -> None:
    before = json.loads((run_dir / "evaluation.json").read_text())
    result = Classifier(run_dir).evaluate(str(idx_folder))
    assert result["accuracy"] == before["accuracy"]
    assert result["loss"] == pytest.approx(before["loss"], rel=1e-5)
    assert result["global_step"] == 10


def test_it_is_resumed_to_the_same_weights(run_dir: Path, idx_folder: Path) -> None:
    made_by = json.loads((run_dir / "recipe.json").read_text())
    Classifier(run_dir).train(load(str(idx_folder)), max_steps=20)
    assert not (run_dir / "SHA256SUMS").exists(), "it would accuse the files that have changed"
    same_kind = (
        made_by["machine"]["processor"] == machine()["processor"]
        and made_by["versions"]["torch"] == versions()["torch"]
        and torch.get_num_threads() == 1
    )
    if not same_kind:
        pytest.skip(f"the SHA-256 are those of {made_by['machine']['processor']}")
    assert hashes(run_dir, 20) == AFTER_20_STEPS


def test_it_is_exported(run_dir: Path, idx_folder: Path) -> None:
    before = Model(run_dir / "model.onnx")
    images = load(str(idx_folder)).test.images
    result = Classifier(run_dir).export(images)
    assert result["argmax_equal"]
    after = Model(run_dir / "model.onnx")
    recipes = [model.metadata.pop("recipe") for model in (before, after)]
    assert json.loads(recipes[0]).items() <= json.loads(recipes[1]).items()
    assert before.metadata.items() <= after.metadata.items()
    assert after.classify(images) == pytest.approx(before.classify(images), abs=1e-4)


def test_it_is_reported(run_dir: Path, idx_folder: Path) -> None:
    cli(["report", str(run_dir), "--data", str(idx_folder)], standalone_mode=False)
    assert "conv1" in (run_dir / "report" / "index.html").read_text("utf-8")
