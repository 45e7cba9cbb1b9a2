"""Grids: every combination of several settings, ranked by the validation images."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tiny import one_thread as one_thread  # a fixture of every test here
from tiny import tiny_dataset, tiny_recipe

from cnn_mnist.classifier import Classifier
from cnn_mnist.data.dataset import Dataset
from cnn_mnist.errors import RecipeError, RunError
from cnn_mnist.training import trials
from cnn_mnist.training.grid import folder_name, run_grid

DATA = tiny_dataset()
GRID = {"learning_rate": [0.0005, 0.01], "batch_size": [8, 16]}


def run(directory: Path, grid: dict[str, list[Any]] | None = None, **changes: Any) -> Any:
    """Few steps: the combinations shall differ."""
    return run_grid(
        *(directory, tiny_recipe(steps=4), grid or GRID, changes.pop("data", DATA)),
        **{"n": 2, "device": "cpu", "processes": 1} | changes,
    )


def test_every_combination_is_trained_from_the_same_seeds(tmp_path: Path) -> None:
    seen = []
    result = run(
        tmp_path, first_seed=3, on_run=lambda settings, seed, _: seen.append((settings, seed))
    )
    combinations = [
        {"learning_rate": rate, "batch_size": size} for rate in (0.0005, 0.01) for size in (8, 16)
    ]
    assert seen == [(settings, seed) for settings in combinations for seed in (3, 4)]
    assert result["seeds"] == [3, 4]
    assert len(result["combinations"]) == 4
    for row in result["combinations"]:
        settings = row["settings"]
        folder = f"batch_size={settings['batch_size']},learning_rate={settings['learning_rate']}"
        assert row["run_dir"] == str(tmp_path / folder)
        for seed in (3, 4):
            own = Classifier(tmp_path / folder / f"seed-{seed}")
            assert own.seed == seed
            assert own.recipe == tiny_recipe(steps=4, **settings)


def test_combinations_are_scored_on_validation_and_the_best_comes_first(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result["split"] == "validation"
    ranks = [(-row["mean"], row["mean_loss"]) for row in result["combinations"]]
    assert all(better <= worse for better, worse in pairwise(ranks))
    best = result["combinations"][0]
    scores = [
        Classifier(Path(best["run_dir"]) / f"seed-{seed}").evaluate(DATA, split="validation")
        for seed in (0, 1)
    ]
    assert best["accuracies"] == [score["accuracy"] for score in scores]
    assert best["losses"] == pytest.approx([score["loss"] for score in scores])
    assert best["n"] == len(best["train_seconds"]) == 2


def test_the_test_images_are_left_alone_unless_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = []
    evaluate = trials.evaluate
    monkeypatch.setattr(
        trials, "evaluate", lambda f, split: scored.append(split) or evaluate(f, split)
    )
    without = run(tmp_path)
    assert scored
    assert all(split is DATA.validation for split in scored)
    assert all("test" not in row for row in without["combinations"])
    scored.clear()
    tested = run(tmp_path, test=True)
    assert sum(split is DATA.test for split in scored) == 8
    order = [row["settings"] for row in without["combinations"]]
    assert [row["settings"] for row in tested["combinations"]] == order
    for row in tested["combinations"]:
        accuracies = [
            Classifier(Path(row["run_dir"]) / f"seed-{seed}").evaluate(DATA)["accuracy"]
            for seed in (0, 1)
        ]
        assert row["test"]["accuracies"] == accuracies


def test_the_result_is_json_that_says_what_it_was_measured_with(tmp_path: Path) -> None:
    result = run(tmp_path, {"dropout": [0.0, 0.1]}, n=1)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["grid"] == {"dropout": [0.0, 0.1]}
    assert (result["dataset"], result["dataset_sha256"]) == ("tiny", DATA.sha256)
    assert {"versions", "machine", "recipe", "processes"} <= result.keys()


def test_a_larger_grid_keeps_the_runs_of_a_smaller_one_whatever_the_order(tmp_path: Path) -> None:
    run(tmp_path, {"learning_rate": [0.01], "batch_size": [16]})
    metrics = tmp_path / "batch_size=16,learning_rate=0.01" / "seed-1" / "metrics.jsonl"
    before = metrics.read_bytes()
    run(tmp_path, {"batch_size": [8, 16], "learning_rate": [0.01]})
    assert metrics.read_bytes() == before
    assert len(list(tmp_path.glob("*/seed-*/checkpoints/step-00000004"))) == 4


def test_all_runs_of_a_grid_share_the_processes(tmp_path: Path) -> None:
    alone = run(tmp_path / "one", n=1)
    together = run(tmp_path / "two", n=1, processes=2)
    assert together["processes"] == 2
    for one, two in zip(alone["combinations"], together["combinations"], strict=True):
        assert (one["settings"], one["losses"]) == (two["settings"], two["losses"])


@pytest.mark.parametrize(
    ("grid", "says"),
    [
        ({"learning_rat": [0.1, 0.2]}, "learning_rate"),
        ({"dropout": [0.1, 1.5]}, r"dropout=1\.5"),
        ({"optimizer": ["sgd", "nothing"]}, "nothing"),
        ({"batch_size": [8, 8]}, "batch_size=8 twice"),
    ],
)
def test_a_wrong_combination_is_refused_before_anything_is_trained(
    grid: dict[str, list[Any]], says: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=says):
        run(tmp_path, grid)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["my/nets.py:wide", "../up", "a" * 300, "a\0b", "a:b"])
def test_the_folder_of_any_value_is_one_short_name(value: str) -> None:
    name = folder_name({"network": value})
    assert Path(name).name == name
    assert len(name) < 120
    assert name.startswith("network=")
    assert "\0" not in name


def test_values_that_look_alike_in_a_file_name_have_folders_of_their_own() -> None:
    values = ["a:b", "a/b", "a-b", "a" * 300, "a" * 301]
    assert len({folder_name({"network": value}) for value in values}) == len(values)


def test_a_grid_on_other_data_is_not_mixed_in(tmp_path: Path) -> None:
    run(tmp_path, {"dropout": [0.0]}, n=1)
    other: Dataset = tiny_dataset("other", seed=1)
    with pytest.raises(RunError, match=r"dropout=0\.0.*another run"):
        run(tmp_path, {"dropout": [0.0]}, n=1, data=other)
