"""The short form of the fault campaign; docs/reliability.md has the results of the long one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what the short form prints; it has a process of its own because it forks."""
    memory = Path("/dev/shm")
    place = memory if os.access(memory, os.W_OK) else tmp_path_factory.mktemp("faults")
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--short"],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("part", ["kills, 1 process", "kills, 2 processes"])
def test_a_run_killed_at_any_moment_ends_with_the_same_weights(part: str, campaign: Any) -> None:
    result = campaign[part]
    assert result["killed_at_random"] + result["killed_at_aim"] >= 6
    assert result["runs_finished"] >= 1
    for miss in ("not_loadable", "other_weights", "other_ends", "hung"):
        assert result[miss] == 0, result
    assert result["most_steps_redone"] <= result["checkpoint_every"]


def test_damage_to_a_checkpoint_or_the_json_of_a_run_is_noticed_by_name(campaign: Any) -> None:
    result = campaign["damage"]
    assert len(result["files"]) == 3 * 4 + 2
    assert {"recipe.json", "evaluation.json"} < set(result["files"])
    assert result["cut"] == 3 * len(result["files"])
    assert result["flipped"] == 4 * len(result["files"])
    assert result["not_noticed"] == result["wrong_checkpoint_used"] == 0


def test_a_power_cut_at_any_operation_of_a_save_leaves_a_whole_checkpoint(campaign: Any) -> None:
    result = campaign["power cuts"]
    assert result["states"] >= 80
    assert result["lies"] > 0
    assert result["not_loadable"] == result["unnoticed_lies"] == 0


def test_what_the_system_refuses_ends_in_an_error_and_the_run_goes_on(campaign: Any) -> None:
    result = campaign["refusals"]
    second = result.pop("a second run")
    assert second["names_its_holder"]
    assert second["second_refused"]
    assert second["goes_on_after_the_holder_was_killed"]
    for fault in ("disk full once", "disk full from then on", "read-only from then on"):
        assert result[fault]["refused"] >= 1
    for fault in result.keys() - {"seconds", "machine"}:
        for miss in ("other_ends", "cannot_go_on", "other_weights"):
            assert result[fault][miss] == 0, (fault, result[fault])


def test_two_processes_compute_what_one_does(campaign: Any) -> None:
    assert campaign["difference, softmax"]["max_abs_diff"] < 1e-5
