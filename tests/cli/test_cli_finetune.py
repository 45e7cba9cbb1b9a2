"""Test `cnn-mnist train --from` and recipes that mix known images in."""

from pathlib import Path
from typing import Any

import pytest
from commands import refusal, result_of

pytestmark = pytest.mark.filterwarnings("ignore:MNIST is not available")

TOML = """
base = "standard"
network = "softmax"
replay = 0.75
steps = 20
checkpoint_every = 10
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A run to start from, and the JSON result of its training."""
    run_dir = tmp_path_factory.mktemp("source") / "run"
    result = result_of(
        *("train", "--data", "digits", "--network", "softmax", "--steps", 60),
        *("--run-dir", run_dir),
    )
    return run_dir, result


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(TOML)
    return path


def test_training_starts_from_a_run_and_keeps_its_network(
    source: tuple[Path, Any], tmp_path: Path
) -> None:
    result = result_of(
        *("train", "--from", source[0], "--data", "digits", "--run-dir", tmp_path / "r"),
        *("--steps", 1, "--lr", 0),
    )
    assert result["accuracy"] == pytest.approx(source[1]["accuracy"], abs=0.02)
    again = result_of("train", "--run-dir", tmp_path / "r", "--steps", 2)
    assert again["global_step"] == 2


@pytest.mark.usefixtures("no_mirrors")
def test_what_was_known_is_scored_before_and_after(
    source: tuple[Path, Any], recipe: Path, idx_folder: Path, tmp_path: Path
) -> None:
    train = ("train", "--recipe", recipe, "--data", idx_folder, "--run-dir", tmp_path / "r")
    result = result_of(*train, "--from", source[0])
    assert result["known_dataset"] == "digits"
    assert result["known_accuracy_before"] == source[1]["accuracy"]
    assert result["known_accuracy"] > 0.7
    assert result["n"] == 30  # the own test images
    # the same command goes on, with and without the start
    assert result_of(*train, "--steps", 21)["global_step"] == 21
    assert result_of(*train, "--steps", 22, "--from", source[0])["global_step"] == 22


@pytest.mark.usefixtures("no_mirrors")
def test_without_pictures_of_ones_own_nothing_is_mixed(
    source: tuple[Path, Any], recipe: Path, tmp_path: Path
) -> None:
    line = refusal(*("train", "--recipe", recipe, "--from", source[0], "--run-dir", tmp_path / "r"))
    assert "name your pictures with --data" in line
    assert not (tmp_path / "r" / "recipe.json").exists()


def test_a_start_that_is_not_there_is_named(tmp_path: Path) -> None:
    line = refusal("train", "--from", "nowhere", "--data", "digits", "--run-dir", tmp_path / "r")
    assert "nowhere does not exist: expected bundled, a run directory, or a model file" in line


@pytest.mark.usefixtures("no_mirrors")
def test_trials_of_a_recipe_that_fine_tunes_are_refused(
    recipe: Path, idx_folder: Path, tmp_path: Path
) -> None:
    line = refusal(
        "trials", "--recipe", recipe, "--data", idx_folder, "--n", 1, "--run-dir", tmp_path / "t"
    )
    assert "train one run for each seed" in line
