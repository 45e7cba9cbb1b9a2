"""Trials: the same recipe from many seeds."""

import json
import statistics
from pathlib import Path
from typing import Any

import pytest
from tiny import Watch, tiny_dataset, tiny_recipe
from tiny import one_thread as one_thread  # a fixture of every test here

from cnn_mnist import trials as room
from cnn_mnist.errors import RunError
from cnn_mnist.trials import run_trials

DATA = tiny_dataset()


def run(directory: Path, n: int, first_seed: int = 0) -> tuple[dict[str, Any], dict[int, Watch]]:
    """The result, and what each seed's hook saw. Few steps: the runs shall differ."""
    watches: dict[int, Watch] = {}

    def hooks(seed: int) -> tuple[Watch]:
        watches[seed] = Watch()
        return (watches[seed],)

    recipe = tiny_recipe(steps=4, learning_rate=0.002)
    result = run_trials(
        directory, recipe, DATA, n=n, first_seed=first_seed, device="cpu", hooks=hooks
    )
    return result, watches


def test_the_figures_are_those_of_the_runs(tmp_path: Path) -> None:
    result, watches = run(tmp_path, 3, first_seed=5)
    accuracies = result["accuracies"]
    assert len(set(result["losses"])) == 3  # the seeds differ
    assert result["mean"] == pytest.approx(sum(accuracies) / 3)
    assert result["mean_loss"] == pytest.approx(sum(result["losses"]) / 3)
    squares = sum((accuracy - result["mean"]) ** 2 for accuracy in accuracies)
    assert result["sd"] == pytest.approx((squares / 2) ** 0.5)
    assert (result["n"], result["seeds"]) == (3, [5, 6, 7])
    assert all(seconds > 0 for seconds in result["train_seconds"])
    assert {path.name for path in tmp_path.iterdir()} == {"seed-5", "seed-6", "seed-7"}
    assert {seed: watch.steps for seed, watch in watches.items()} == {
        seed: [1, 2, 3, 4] for seed in (5, 6, 7)
    }


def test_the_result_is_json_that_says_what_it_was_measured_with(tmp_path: Path) -> None:
    result, _ = run(tmp_path, 1)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["recipe"]["learning_rate"] == 0.002
    assert (result["dataset"], result["dataset_sha256"]) == ("tiny", DATA.sha256)
    assert {"torch", "python"} <= result["versions"].keys()
    assert "cores" in result["machine"]


def test_one_run_has_no_deviation(tmp_path: Path) -> None:
    result, _ = run(tmp_path, 1)
    assert (result["sd"], result["n"]) == (0.0, 1)
    assert result["mean"] == result["accuracies"][0]


def test_finished_runs_are_used_again_and_only_new_seeds_trained(tmp_path: Path) -> None:
    first, _ = run(tmp_path, 2)
    second, watches = run(tmp_path, 3)
    assert {seed: len(watch.steps) for seed, watch in watches.items()} == {0: 0, 1: 0, 2: 4}
    for key in ("accuracies", "losses", "train_seconds"):
        assert second[key][:2] == first[key]


def test_the_deviation_is_the_samples(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Fake:
        def __init__(self, run_dir: Path, recipe: object, *, seed: int, device: str) -> None:
            self.seed = seed

        def train(self, data: object, hooks: object) -> None:
            pass

        def evaluate(self, data: object) -> dict[str, float]:
            return {"accuracy": [0.97, 0.98, 0.99][self.seed], "loss": 0.1, "train_seconds": 1.0}

    monkeypatch.setattr(room, "Classifier", Fake)
    result, _ = run(tmp_path, 3)
    assert result["mean"] == pytest.approx(0.98)
    assert result["sd"] == pytest.approx(0.01) == statistics.stdev([0.97, 0.98, 0.99])


def test_runs_of_another_recipe_are_not_mixed_in(tmp_path: Path) -> None:
    run(tmp_path, 1)
    with pytest.raises(RunError, match="dropout"):
        run_trials(tmp_path, tiny_recipe(dropout=0.1), DATA, n=1, device="cpu")
