"""Test a grid of `cnn-mnist trials`."""

from pathlib import Path

import pytest
from commands import invoke, refusal, result_of

COMMAND = ("trials", "--data", "digits", "--network", "softmax", "--steps", 10, "--n", 2)
GRID = ("--set", "learning_rate=0.001,0.03", "--set", "batch_size=20,40")


def test_several_values_make_a_grid_that_is_ranked_by_validation(tmp_path: Path) -> None:
    result = result_of(*COMMAND, *GRID, "--run-dir", tmp_path / "g")
    rows = result["combinations"]
    assert [row["mean"] for row in rows] == sorted((row["mean"] for row in rows), reverse=True)
    assert {(row["settings"]["learning_rate"], row["settings"]["batch_size"]) for row in rows} == {
        (rate, size) for rate in (0.001, 0.03) for size in (20, 40)
    }
    assert result["split"] == "validation"
    assert all(row["n"] == 2 and "test" not in row for row in rows)
    assert {path.name for path in (tmp_path / "g").iterdir()} == {
        f"batch_size={size},learning_rate={rate}" for rate in (0.001, 0.03) for size in (20, 40)
    }
    text = invoke(*COMMAND, *GRID, "--run-dir", tmp_path / "g", "--test").stdout
    lines = text.splitlines()
    assert lines[2].split() == [
        *("learning_rate", "batch_size"),
        *("validation", "accuracy", "loss", "s", "test", "accuracy"),
    ]
    best = rows[0]["settings"]
    assert lines[3].split()[:2] == [str(best["learning_rate"]), str(best["batch_size"])]
    assert lines[3].count("+/-") == 2


def test_one_value_after_set_is_an_ordinary_setting(tmp_path: Path) -> None:
    result = result_of(*COMMAND, "--set", "learning_rate=0.03", "--run-dir", tmp_path / "t")
    assert result["recipe"]["learning_rate"] == 0.03
    assert {"mean", "sd", "n", "accuracies"} <= result.keys()
    assert {path.name for path in (tmp_path / "t").iterdir()} == {"seed-0", "seed-1"}


def test_combinations_of_a_grid_can_be_compared(tmp_path: Path) -> None:
    result_of(*COMMAND, "--set", "learning_rate=0.001,0.03", "--run-dir", tmp_path / "g")
    folders = sorted((tmp_path / "g").iterdir())
    assert result_of("compare", *folders, "--split", "validation")["a"]["n"] == 2


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("learning_rat=1,2", "learning_rat"),
        ("batch_size=50,many", "batch_size='many'"),
        ("batch_size=50,,100", "between two commas"),
        ("batch_size=50,0", "batch_size=0: expected 1 to"),
    ],
)
def test_a_wrong_grid_is_wrong_usage(settings: str, says: str, tmp_path: Path) -> None:
    assert says in refusal(*COMMAND, "--set", settings, "--run-dir", tmp_path, exit_code=2)
    assert list(tmp_path.iterdir()) == []


def test_a_grid_over_an_optimizer_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    line = refusal(*COMMAND, "--set", "optimizer=sgd,no", "--run-dir", tmp_path)
    assert "no optimizer is called 'no'" in line
    assert list(tmp_path.iterdir()) == []


def test_a_field_set_by_a_grid_and_by_a_flag_is_wrong_usage(tmp_path: Path) -> None:
    for flags in (("--lr", "0.1"), ("--set", "learning_rate=0.1")):
        line = refusal(
            *(*COMMAND, *flags, "--set", "learning_rate=0.001,0.03", "--run-dir", tmp_path),
            exit_code=2,
        )
        assert "learning_rate is set twice" in line
