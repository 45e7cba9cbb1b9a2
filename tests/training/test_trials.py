"""Trials: the same recipe from many seeds."""

import json
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import pytest
from tiny import SendSignal, tiny_dataset, tiny_recipe
from tiny import one_thread as one_thread  # a fixture of every test here

from cnn_mnist.errors import CnnMnistError, Interrupted, RunError, WorkerError
from cnn_mnist.runs.checkpoint import found
from cnn_mnist.runs.run import Run
from cnn_mnist.training import trials
from cnn_mnist.training.trial_processes import Trial, results_of
from cnn_mnist.training.trials import run_trials

DATA = tiny_dataset()


def run(directory: Path, n: int, **changes: Any) -> dict[str, Any]:
    """Few steps: the runs shall differ."""
    recipe = tiny_recipe(steps=4, learning_rate=0.002)
    return run_trials(directory, recipe, DATA, n=n, device="cpu", **{"processes": 1} | changes)


def test_the_metrics_are_those_of_the_runs(tmp_path: Path) -> None:
    seen: dict[int, float] = {}

    def see(seed: int, metrics: dict[str, Any]) -> None:
        seen[seed] = metrics["accuracy"]

    result = run(tmp_path, 3, first_seed=5, on_run=see)
    accuracies = result["accuracies"]
    assert len(set(result["losses"])) == 3  # the seeds differ
    assert result["mean"] == pytest.approx(sum(accuracies) / 3)
    assert result["mean_loss"] == pytest.approx(sum(result["losses"]) / 3)
    squares = sum((accuracy - result["mean"]) ** 2 for accuracy in accuracies)
    assert result["sd"] == pytest.approx((squares / 2) ** 0.5)
    assert (result["n"], result["seeds"]) == (3, [5, 6, 7])
    assert all(seconds > 0 for seconds in result["train_seconds"])
    assert {path.name for path in tmp_path.iterdir()} == {"seed-5", "seed-6", "seed-7"}
    assert seen == dict(zip((5, 6, 7), accuracies, strict=True))


def test_the_result_is_json_that_says_what_it_was_measured_with(tmp_path: Path) -> None:
    result = run(tmp_path, 1)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["recipe"]["learning_rate"] == 0.002
    assert (result["dataset"], result["dataset_sha256"]) == ("tiny", DATA.sha256)
    assert {"torch", "python"} <= result["versions"].keys()
    assert "cores" in result["machine"]


def test_one_run_has_no_deviation(tmp_path: Path) -> None:
    result = run(tmp_path, 1)
    assert (result["sd"], result["n"]) == (0.0, 1)
    assert result["mean"] == result["accuracies"][0]


def test_finished_runs_are_used_again_and_only_new_seeds_trained(tmp_path: Path) -> None:
    first = run(tmp_path, 2)
    metrics = tmp_path / "seed-0" / "metrics.jsonl"
    lines = metrics.read_text(encoding="utf-8")
    second = run(tmp_path, 3)
    assert metrics.read_text(encoding="utf-8") == lines
    for key in ("accuracies", "losses", "train_seconds"):
        assert second[key][:2] == first[key]


def test_several_processes_give_the_results_of_one(tmp_path: Path) -> None:
    alone = run(tmp_path / "one", 3)
    together = run(tmp_path / "two", 3, processes=2)
    assert (alone["processes"], together["processes"]) == (1, 2)
    for key in ("accuracies", "losses", "seeds"):
        assert together[key] == alone[key]


def test_an_error_in_a_process_is_the_error_of_the_trials(tmp_path: Path) -> None:
    run(tmp_path, 1)
    with pytest.raises(RunError, match="dropout"):
        run_trials(tmp_path, tiny_recipe(dropout=0.1), DATA, n=2, device="cpu", processes=2)


def test_a_process_that_dies_is_reported(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="exit code 7"):
        list(results_of(two_trials(tmp_path), die, device="cpu", processes=2))


def test_a_process_that_dies_before_it_has_its_data_is_reported(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="exit code 8"):
        list(results_of(two_trials(tmp_path), Deadly(), device="cpu", processes=2))


def two_trials(directory: Path) -> list[Trial]:
    return [Trial(path=directory / str(s), recipe=tiny_recipe(), seed=s) for s in (0, 1)]


def die(trial: Trial) -> dict[str, Any]:
    """End the process."""
    os._exit(7)


class Deadly:
    """Ends the process that receives it, before that has read the rest: more than a pipe holds."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (8,), bytes(1 << 20)

    def __call__(self, trial: Trial) -> dict[str, Any]:
        raise AssertionError


def test_stopped_trials_stop_their_processes_with_a_checkpoint(tmp_path: Path) -> None:
    long = tiny_recipe(steps=10**6, checkpoint_every=10**6)
    stopper = threading.Thread(target=stop_when_training, args=(tmp_path,))
    stopper.start()
    with pytest.raises(Interrupted, match="the same command goes on"):
        run_trials(tmp_path, long, DATA, n=2, device="cpu", processes=2)
    stopper.join()
    assert multiprocessing.active_children() == []
    assert len(list(tmp_path.glob("seed-*/checkpoints/step-*"))) == 2


def test_ctrl_c_stops_trials_with_checkpoints_of_all_seeds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cnn_mnist", "trials", "--data", "digits", "--n", "2"]
    command += ["--network", "softmax", "--steps", "1000000", "--processes", "2"]
    process = subprocess.Popen(
        [*command, "--run-dir", tmp_path], stderr=subprocess.PIPE, start_new_session=True
    )
    until = time.monotonic() + 600
    while len(list(tmp_path.glob("seed-*/metrics.jsonl"))) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    try:
        _, said = process.communicate(timeout=600)
    finally:
        process.kill()
    assert process.returncode == 130
    assert b"Traceback" not in said
    for seed in range(2):
        steps = [int(path.name[5:]) for path in tmp_path.glob(f"seed-{seed}/checkpoints/step-*")]
        assert max(steps) % 500  # not one of those that are written on the way


@pytest.mark.parametrize("error", [Interrupted("stopped", 15), WorkerError("lost", 7)])
def test_an_error_passes_between_processes_unchanged(error: CnnMnistError) -> None:
    same = ForkingPickler.loads(ForkingPickler.dumps(error))
    assert (type(same), str(same), same.exit_code) == (type(error), str(error), error.exit_code)


def stop_when_training(directory: Path) -> None:
    """SIGTERM to this process once both seeds have begun."""
    until = time.monotonic() + 600
    while len(list(directory.glob("seed-*/metrics.jsonl"))) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGTERM)


def test_the_deviation_is_the_samples_deviation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    accuracies = iter([0.97, 0.98, 0.99])
    monkeypatch.setattr(trials, "evaluate", lambda *_: {"accuracy": next(accuracies), "loss": 0.1})
    result = run(tmp_path, 3)
    assert result["mean"] == pytest.approx(0.98)
    assert result["sd"] == pytest.approx(0.01) == statistics.stdev([0.97, 0.98, 0.99])


@pytest.mark.parametrize("steps", [2, 40])
def test_runs_to_another_step_are_not_mixed_in(steps: int, tmp_path: Path) -> None:
    run(tmp_path, 1)
    with pytest.raises(RunError, match=f"seed-0 is a run to step 4,.*to step {steps}"):
        run_trials(tmp_path, tiny_recipe(steps=steps, learning_rate=0.002), DATA, n=1, device="cpu")


def test_runs_of_another_recipe_are_not_mixed_in(tmp_path: Path) -> None:
    run(tmp_path, 1)
    with pytest.raises(RunError, match="dropout"):
        run_trials(tmp_path, tiny_recipe(dropout=0.1), DATA, n=1, device="cpu")


def test_trials_stop_at_a_signal_in_the_last_step_of_a_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = trials.train

    def interrupted(path: Run, *args: Any, **options: Any) -> Any:
        return train(path, *args, hooks=(SendSignal(signal.SIGTERM, at=4),), **options)

    monkeypatch.setattr(trials, "train", interrupted)
    with pytest.raises(Interrupted, match="SIGTERM at step 4"):
        run(tmp_path, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["seed-0"]


SCRIPT = """
import sys
from pathlib import Path
import numpy as np
import tiny
from cnn_mnist import run_trials

recipe = tiny.tiny_recipe(steps=2)
result = run_trials(Path("runs"), recipe, tiny.tiny_dataset(), n=2, device="cpu", processes=2)
print(result["n"])
"""


@pytest.mark.parametrize("how", ["a file", "standard input"])
def test_a_script_without_a_main_guard_may_use_processes(how: str, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py" if how == "a file" else "-"],
        input=SCRIPT,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2\n"


def test_processes_of_trials_end_with_a_killed_parent(tmp_path: Path) -> None:
    script = SCRIPT.replace("steps=2", "steps=1_000_000")
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    locks = [tmp_path / "runs" / f"seed-{seed}" / ".lock" for seed in (0, 1)]
    until = time.monotonic() + 600
    while not all((lock.parent / "metrics.jsonl").exists() for lock in locks):
        assert time.monotonic() < until
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    while any(lock.exists() for lock in locks) and time.monotonic() < until:
        time.sleep(0.05)
    for lock in locks:
        assert not lock.exists()
        assert found(lock.parent / "checkpoints")
