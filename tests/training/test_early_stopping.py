"""Runs that end early, and the best checkpoint: exact also after a kill between any two writes."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from faults.inject import at_disk_operation, kill_process
from tiny import SendSignal, Watch, hashes, kept_metrics, trained
from tiny import one_thread as one_thread  # a fixture of every test here

from cnn_mnist.data.dataset import Split
from cnn_mnist.errors import CnnMnistWarning, HookError, Interrupted
from cnn_mnist.files import sha256
from cnn_mnist.runs.checkpoint import found
from cnn_mnist.training import session
from cnn_mnist.training.hooks import EarlyStopping, Hook, Start, Step

CURVE = {10: 0.5, 20: 0.4, 30: 0.45, 40: 0.35, 50: 0.36, 60: 0.37, 70: 0.38, 80: 0.3, 90: 0.31}
"""The validation loss after each checkpoint."""
STEPS = 90


def by_curve(classify: Any, split: Split) -> dict[str, float]:
    """Replace `evaluate`: the validation loss is that of `CURVE`."""
    step = classify.__self__.step
    return {"loss": CURVE.get(step, 0.6), "accuracy": 0.5}


@pytest.fixture(autouse=True)
def losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the validation loss be that of `CURVE`."""
    monkeypatch.setattr(session, "evaluate", by_curve)


def patient(run_dir: Path, patience: int, *hooks: Hook, **options: Any) -> Any:
    """Train with early stopping."""
    hooks = (*hooks, EarlyStopping(patience))
    return trained(run_dir, hooks=hooks, **{"steps": STEPS} | options)


def best_of(run_dir: Path) -> tuple[str, ...]:
    """Return the name and the hashes of the only checkpoint in `best/`."""
    (path,) = found(run_dir / "best")
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    names = ("model.safetensors", "optimizer.safetensors")
    return path.name, *(sha256(path / name) for name in names)


@pytest.mark.parametrize(("patience", "end"), [(1, 30), (2, 60), (3, 70), (4, 90)])
def test_a_run_ends_after_patience_passes_without_a_lower_loss(
    patience: int, end: int, tmp_path: Path
) -> None:
    watch = Watch()
    trainer = patient(tmp_path, patience, watch)
    assert trainer.step == watch.steps[-1] == end
    assert found(tmp_path / "checkpoints")[0].name == f"step-{end:08d}"
    assert watch.metrics[-1]["step"] == end
    assert (trainer.stopped is None) == (end == STEPS)


def test_the_reason_names_the_lowest_loss_and_its_step(tmp_path: Path) -> None:
    assert patient(tmp_path, 2).stopped == (
        "no lower validation loss in 2 validation passes (the lowest is 0.3500, at step 40)"
    )


def test_a_stopped_run_stays_stopped_without_training(tmp_path: Path) -> None:
    reason = patient(tmp_path, 2).stopped
    before = hashes(tmp_path, 60), (tmp_path / "metrics.jsonl").read_bytes()
    watch = Watch()
    again = patient(tmp_path, 2, watch)
    assert (again.step, again.stopped, watch.steps, watch.metrics) == (60, reason, [], [])
    assert (hashes(tmp_path, 60), (tmp_path / "metrics.jsonl").read_bytes()) == before
    assert watch.the_end.outcome == "stopped"


def test_more_patience_goes_on_as_if_it_had_been_given_at_once(tmp_path: Path) -> None:
    for patience in (1, 2, 3):
        patient(tmp_path / "little by little", patience, keep_best=True)
    patient(tmp_path / "at once", 3, keep_best=True)
    for see in (partial(hashes, step=70), best_of, kept_metrics):
        assert see(tmp_path / "little by little") == see(tmp_path / "at once")


def test_no_patience_goes_on_to_the_last_step(tmp_path: Path) -> None:
    patient(tmp_path / "run", 1)
    trained(tmp_path / "run", steps=STEPS)
    trained(tmp_path / "alone", steps=STEPS)
    assert hashes(tmp_path / "run", STEPS) == hashes(tmp_path / "alone", STEPS)
    assert kept_metrics(tmp_path / "run") == kept_metrics(tmp_path / "alone")


def test_patience_below_1_is_refused() -> None:
    with pytest.raises(ValueError, match="patience=0"):
        EarlyStopping(0)


# --- kills


# Not forked from this process: torch refuses to train in a fork of one whose autograd has threads,
# as another test may have left it.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])
OPTIONS: dict[str, Any] = {"optimizer": "adam", "keep_best": True}


def exit_code(work: Callable[..., object], *arguments: object) -> int | None:
    """Return the exit code of work in a process of its own: -N if signal N ended it."""
    process = FORKS.Process(target=work, args=arguments)
    process.start()
    process.join()
    return process.exitcode


def train_until(operation: int, run_dir: Path) -> None:
    """Train with patience 2, and be killed before a disk operation, counted from 1."""
    torch.set_num_threads(1)
    session.evaluate = by_curve
    at_disk_operation(operation, kill_process)
    patient(run_dir, 2, **OPTIONS)


def die(*arguments: object) -> None:
    """Replace `evaluate`: the process is killed when it begins."""
    os.kill(os.getpid(), signal.SIGKILL)


def train_until_validation(run_dir: Path) -> None:
    """Train, and be killed in the first validation pass."""
    torch.set_num_threads(1)
    session.evaluate = die
    trained(run_dir, steps=10, keep_best=True)


def killed(run_dir: Path, *, before: int) -> bool:
    """Train with patience 2, and be killed before a disk operation, counted from 1; say if it was.

    Each of the directory's newest folders may then be there or not, and half of each file.
    """
    code = exit_code(train_until, before, run_dir)
    assert code in (0, -signal.SIGKILL)
    return code != 0


def assert_same_end(run_dir: Path, other: Path) -> None:
    """Both have stopped at the same step, with the same weights, best checkpoint and metrics."""
    assert found(run_dir / "checkpoints")[0].name == "step-00000060"
    for see in (partial(hashes, step=60), best_of, kept_metrics):
        assert see(run_dir) == see(other)


def test_a_kill_between_any_two_writes_changes_neither_the_end_nor_the_best(
    tmp_path: Path,
) -> None:
    patient(tmp_path / "alone", 2, **OPTIONS)
    operation = 1
    while killed(run_dir := tmp_path / str(operation), before=operation):
        watch = Watch()
        assert patient(run_dir, 2, watch, **OPTIONS).step == 60
        assert watch.the_end.outcome == "stopped"
        assert_same_end(run_dir, tmp_path / "alone")
        operation += 13  # a prime: each kind of operation has its turn
    assert operation > 200


def test_kills_one_after_the_other_change_neither_the_end_nor_the_best(tmp_path: Path) -> None:
    patient(tmp_path / "alone", 2, **OPTIONS)
    operation = 1
    while killed(tmp_path / "run", before=operation):
        operation += 1
    assert operation > 30
    patient(tmp_path / "run", 2, **OPTIONS)
    assert_same_end(tmp_path / "run", tmp_path / "alone")


@pytest.mark.parametrize("at", [7, 20, 40, 53, 60])
def test_ctrl_c_changes_neither_the_end_nor_the_best(at: int, tmp_path: Path) -> None:
    patient(tmp_path / "alone", 2, keep_best=True)
    with pytest.raises(Interrupted):
        patient(tmp_path / "run", 2, SendSignal(signal.SIGTERM, at=at), keep_best=True)
    patient(tmp_path / "run", 2, keep_best=True)
    for see in (partial(hashes, step=60), best_of):
        assert see(tmp_path / "run") == see(tmp_path / "alone")
    passes = [
        [line for line in kept_metrics(tmp_path / name) if "validation_loss" in line]
        for name in ("run", "alone")
    ]
    assert passes[0] == passes[1]


def test_a_kill_after_the_last_checkpoint_still_leads_to_its_validation_pass(
    tmp_path: Path,
) -> None:
    assert exit_code(train_until_validation, tmp_path) == -signal.SIGKILL
    assert found(tmp_path / "checkpoints")
    assert not found(tmp_path / "best")
    watch = Watch()
    trained(tmp_path, steps=10, keep_best=True, hooks=(watch,))
    assert (watch.steps, [line["step"] for line in watch.metrics]) == ([], [10])
    assert best_of(tmp_path)[0] == "step-00000010"


# --- the best checkpoint


def test_the_checkpoint_with_the_lowest_validation_loss_is_kept(tmp_path: Path) -> None:
    trained(tmp_path / "run", steps=70, keep_best=True)
    trained(tmp_path / "ends there", steps=40)
    assert best_of(tmp_path / "run") == ("step-00000040", *hashes(tmp_path / "ends there", 40))


def test_a_run_that_keeps_its_best_goes_on_keeping_it(tmp_path: Path) -> None:
    trained(tmp_path, steps=20, keep_best=True)
    assert best_of(tmp_path)[0] == "step-00000020"
    trained(tmp_path, steps=60)
    assert best_of(tmp_path)[0] == "step-00000040"


def test_a_run_keeps_no_best_unless_asked(tmp_path: Path) -> None:
    trained(tmp_path, steps=20)
    assert not (tmp_path / "best").exists()


def test_a_best_that_is_newer_than_the_steps_done_is_removed(tmp_path: Path) -> None:
    trained(tmp_path, steps=40, keep_best=True)
    (tmp_path / "checkpoints/step-00000040/model.safetensors").write_bytes(b"")
    kept: list[list[Path]] = []

    class Look(Hook):
        def begin(self, start: Start) -> None:
            kept.append(found(tmp_path / "best"))

    with pytest.warns(CnnMnistWarning, match="step-00000030 is used instead|chosen from step 30"):
        trained(tmp_path, steps=60, keep_best=True, hooks=(Look(),))
    assert [[path.name for path in paths] for paths in kept] == [["step-00000030"]]
    assert best_of(tmp_path)[0] == "step-00000040"


def test_a_damaged_best_is_named_and_removed(tmp_path: Path) -> None:
    trained(tmp_path, steps=40, keep_best=True)
    (tmp_path / "best/step-00000040/model.safetensors").write_bytes(b"")
    with (
        pytest.warns(CnnMnistWarning, match="best.*model.safetensors is damaged.*removed"),
        pytest.warns(CnnMnistWarning, match="chosen from step 40 on"),
    ):
        trained(tmp_path, steps=50, keep_best=True)
    assert best_of(tmp_path)[0] == "step-00000040"  # from checkpoints/, with which it went on


def test_keeping_the_best_from_the_middle_of_a_run_is_warned_of(tmp_path: Path) -> None:
    trained(tmp_path, steps=30)
    with pytest.warns(CnnMnistWarning, match="chosen from step 30 on"):
        trained(tmp_path, steps=30, keep_best=True)
    assert best_of(tmp_path)[0] == "step-00000030"


# --- hooks that ask for a stop


class StopAt(Hook):
    """Asks for a stop after a step."""

    def __init__(self, at: int) -> None:
        self.at = at

    def begin(self, start: Start) -> None:
        self.request_stop = start.request_stop

    def after_step(self, step: Step) -> None:
        if step.number == self.at:
            self.request_stop("enough")
            self.request_stop("another reason")


@pytest.mark.parametrize("at", [1, 13, 20])
def test_a_hook_ends_the_training_with_a_checkpoint_that_resumes_exactly(
    at: int, tmp_path: Path
) -> None:
    watch = Watch()
    trainer = trained(tmp_path / "run", hooks=(StopAt(at), watch))
    assert (trainer.step, trainer.stopped) == (at, "enough")
    assert found(tmp_path / "run/checkpoints")[0].name == f"step-{at:08d}"
    assert [line["step"] for line in watch.metrics if "validation_loss" in line][-1] == at
    assert (watch.the_end.outcome, watch.the_end.reason) == ("stopped", "enough")
    assert watch.the_end.metrics["validation_accuracy"] == 0.5

    trained(tmp_path / "run")
    trained(tmp_path / "alone")
    assert hashes(tmp_path / "run", 30) == hashes(tmp_path / "alone", 30)


def test_the_validation_pass_of_a_stop_in_between_does_not_count_for_patience(
    tmp_path: Path,
) -> None:
    patient(tmp_path, 2, StopAt(45))
    assert patient(tmp_path, 2).step == 60


def test_a_stop_after_the_last_step_is_the_end_of_a_finished_run(tmp_path: Path) -> None:
    watch = Watch()
    assert trained(tmp_path, hooks=(StopAt(30), watch)).stopped is None
    assert (watch.the_end.outcome, watch.the_end.reason) == ("finished", None)


def test_a_hook_that_asks_at_the_beginning_lets_a_new_run_do_one_step(tmp_path: Path) -> None:
    class Never(Hook):
        def begin(self, start: Start) -> None:
            start.request_stop("not today")

    assert trained(tmp_path, hooks=(Never(),)).step == 1
    assert trained(tmp_path, hooks=(Never(),)).step == 1


def test_a_signal_wins_over_a_hook(tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match="SIGTERM at step 13"):
        trained(tmp_path, hooks=(StopAt(13), SendSignal(signal.SIGTERM, at=13)))


class SignalAtTheStop(Hook):
    """Sends SIGTERM to this process in the validation pass of step 13."""

    def on_metrics(self, metrics: Any) -> None:
        if metrics["step"] == 13:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_while_a_run_is_being_stopped_is_not_swallowed(tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match="SIGTERM at step 13"):
        trained(tmp_path, hooks=(StopAt(13), SignalAtTheStop()))


def test_an_end_without_its_argument_is_one_line_before_anything_is_written(
    tmp_path: Path,
) -> None:
    class Old(Hook):
        def end(self) -> None:  # type: ignore[override]
            pass

    with pytest.raises(HookError, match=r"hook Old has an end\(\) that takes no `End`: write"):
        trained(tmp_path / "run", hooks=(Old(),))
    assert not (tmp_path / "run").exists()
