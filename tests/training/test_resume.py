"""A run that is stopped or killed and trained again is the same run."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tiny
from tiny import Watch, hashes, kept_metrics, tiny_dataset, tiny_recipe, tiny_split, trained
from tiny import one_thread as one_thread  # a fixture of every test here

from cnn_mnist.data.dataset import Dataset
from cnn_mnist.errors import CnnMnistWarning, RunError
from cnn_mnist.runs.checkpoint import found
from cnn_mnist.runs.identity import read_identity
from cnn_mnist.runs.run import Run
from cnn_mnist.training.loop import train


@pytest.mark.parametrize(
    ("changes", "killed_at", "resumed_from"),
    [
        pytest.param(
            {
                "network": "small",
                "dropout": 0.4,
                "optimizer": "adam",
                "steps": 600,
                "augmentation": "affine",
                "schedule": "one-cycle",
                "weight_decay": 0.01,
                "learning_rate": 0.002,
                "label_smoothing": 0.1,
                "checkpoint_every": 50,
            },
            270,
            250,
            id="small-adam-affine",
        ),
        pytest.param(
            {
                "network": "cnn-bn",
                "dropout": 0.4,
                "optimizer": "adam",
                "steps": 40,
                "augmentation": "elastic",
                "precision": "bfloat16",
                "batch_size": 8,
                "checkpoint_every": 10,
            },
            27,
            20,
            id="cnn-bn-adam-bfloat16",
        ),
        pytest.param(
            {
                "network": "cnn",
                "dropout": 0.4,
                "optimizer": "sgd",
                "steps": 100,
                "learning_rate": 0.05,
                "batch_size": 8,
                "checkpoint_every": 20,
            },
            47,
            40,
            id="cnn-sgd",
        ),
        pytest.param(
            {
                "network": "cnn",
                "dropout": 0.4,
                "optimizer": "adam",
                "steps": 100,
                "learning_rate": 0.001,
                "batch_size": 8,
                "checkpoint_every": 20,
            },
            47,
            40,
            id="cnn-adam",
        ),
    ],
)
def test_a_killed_run_ends_with_the_same_weights(
    changes: dict[str, Any], killed_at: int, resumed_from: int, tmp_path: Path
) -> None:
    changes = changes | {"log_every": 10}
    child = subprocess.run(
        [sys.executable, tiny.__file__, tmp_path / "killed", str(killed_at), json.dumps(changes)],
        check=False,
    )
    assert child.returncode == -signal.SIGKILL
    assert found(tmp_path / "killed" / "checkpoints")[0].name == f"step-{resumed_from:08d}"
    watch = Watch()
    trained(tmp_path / "killed", hooks=(watch,), **changes)
    assert watch.steps[0] == resumed_from + 1

    trained(tmp_path / "alone", **changes)
    assert hashes(tmp_path / "killed", changes["steps"]) == hashes(
        tmp_path / "alone", changes["steps"]
    )
    assert kept_metrics(tmp_path / "killed") == kept_metrics(tmp_path / "alone")


def test_a_damaged_checkpoint_is_skipped_and_its_steps_are_repeated(tmp_path: Path) -> None:
    trained(tmp_path / "alone")
    trained(tmp_path / "run")
    (tmp_path / "run/checkpoints/step-00000030/model.safetensors").write_bytes(b"")
    watch = Watch()
    with pytest.warns(CnnMnistWarning, match="step-00000030.*step-00000020 is used"):
        trained(tmp_path / "run", hooks=(watch,))
    assert watch.steps == list(range(21, 31))
    assert hashes(tmp_path / "run", 30) == hashes(tmp_path / "alone", 30)


def test_a_run_at_a_constant_rate_that_is_continued_equals_one_long_run(
    tmp_path: Path,
) -> None:
    trained(tmp_path / "run", steps=20)
    trained(tmp_path / "run", steps=40)
    trained(tmp_path / "one go", steps=40)
    assert hashes(tmp_path / "run", 40) == hashes(tmp_path / "one go", 40)
    identity = read_identity(Run(tmp_path / "run"))
    assert identity is not None
    assert identity.recipe.steps == 40


def test_continuing_a_one_cycle_run_is_warned_of(tmp_path: Path) -> None:
    trained(tmp_path, schedule="one-cycle", steps=20)
    with pytest.warns(CnnMnistWarning, match="laid out for 20 steps and is now for 40"):
        trainer = trained(tmp_path, schedule="one-cycle", steps=40)
    assert trainer.step == 40


def test_a_finished_run_trains_no_further(tmp_path: Path) -> None:
    trained(tmp_path)
    kept = (tmp_path / "metrics.jsonl").read_bytes()
    watch = Watch()
    assert trained(tmp_path, hooks=(watch,)).step == 30
    assert watch.steps == []
    assert (tmp_path / "metrics.jsonl").read_bytes() == kept


def test_a_seed_decides_the_weights(tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        trained(tmp_path / name, seed=seed, network="small", augmentation="affine", steps=10)
    assert hashes(tmp_path / "one", 10) == hashes(tmp_path / "same", 10)
    assert hashes(tmp_path / "one", 10) != hashes(tmp_path / "other", 10)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"network": "small"}, ["network: 'softmax' -> 'small'"]),
        ({"learning_rate": 0.5, "batch_size": 8}, ["learning_rate: 0.01 -> 0.5", "batch_size"]),
        ({"seed": 1}, ["seed: 0 -> 1"]),
    ],
)
def test_another_recipe_or_seed_in_the_same_directory_is_refused(
    changes: dict[str, Any], fields: list[str], tmp_path: Path
) -> None:
    trained(tmp_path)
    before = (tmp_path / "recipe.json").read_bytes()
    with pytest.raises(RunError) as caught:
        trained(tmp_path, **changes)
    assert all(field in str(caught.value) for field in (str(tmp_path), *fields))
    assert (tmp_path / "recipe.json").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "seed", "field"),
    [
        ("other", 1, "dataset: 'tiny' -> 'other'"),
        ("tiny", 1, "dataset: 'tiny' has other images, labels or class names now"),
    ],
)
def test_another_data_set_in_the_same_directory_is_refused(
    name: str, seed: int, field: str, tmp_path: Path
) -> None:
    trained(tmp_path)
    with pytest.raises(RunError, match=field):
        train(Run(tmp_path), tiny_recipe(), tiny_dataset(name, seed=seed), device="cpu")


def test_the_same_data_under_another_name_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    trained(tmp_path / "moved", steps=20)
    train(Run(tmp_path / "moved"), tiny_recipe(), tiny_dataset("moved"), device="cpu")
    trained(tmp_path / "whole")
    assert hashes(tmp_path / "moved", 30) == hashes(tmp_path / "whole", 30)
    identity = read_identity(Run(tmp_path / "moved"))
    assert identity
    assert identity.dataset == "moved"


def test_a_run_with_the_split_of_version_0_1_goes_on_with_it(tmp_path: Path) -> None:
    new = tiny_dataset()
    whole, test = tiny_split(240, seed=0), new.test
    arrays = (whole.images, whole.labels), (test.images, test.labels)
    old = Dataset.from_arrays("tiny", *arrays, first=True)
    assert old.sha256 != new.sha256
    train(Run(tmp_path / "a"), tiny_recipe(steps=20), old, device="cpu")
    train(Run(tmp_path / "a"), tiny_recipe(), new, device="cpu")
    train(Run(tmp_path / "b"), tiny_recipe(), old, device="cpu")
    assert hashes(tmp_path / "a", 30) == hashes(tmp_path / "b", 30)


def test_checkpoints_without_their_recipe_are_refused(tmp_path: Path) -> None:
    trained(tmp_path)
    (tmp_path / "recipe.json").unlink()
    with pytest.raises(RunError, match=r"recipe\.json is missing"):
        trained(tmp_path)


def test_time_spent_training_adds_up_over_the_sessions_of_a_run(tmp_path: Path) -> None:
    first = trained(tmp_path, steps=10).train_seconds
    assert 0 < first < trained(tmp_path, steps=30).train_seconds


def test_fewer_steps_than_the_run_has_are_refused(tmp_path: Path) -> None:
    trained(tmp_path, steps=20)
    with pytest.raises(RunError, match="is at step 20 already, beyond step 10: train to a later"):
        trained(tmp_path, steps=10)
