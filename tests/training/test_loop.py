"""The loop: hooks, metrics, losses that are not finite, and what ends a run."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import Watch, hashes, trained
from tiny import one_thread as one_thread  # a fixture of every test here

from cnn_mnist.errors import HookError, NonFiniteLossError, RunError
from cnn_mnist.runs.checkpoint import found, load
from cnn_mnist.runs.lock import locked
from cnn_mnist.training.hooks import Hook, LogTensors, PlainProgress, Start, Step
from cnn_mnist.training.trainer import Trainer


class Nosy(Hook):
    """Reads everything, and draws from torch's own generator."""

    def after_step(self, step: Step) -> None:
        torch.rand(step.number)
        step.probabilities.sum()


def test_hooks_never_change_the_weights(tmp_path: Path) -> None:
    changes = {"network": "small", "augmentation": "affine", "log_every": 3}
    trained(tmp_path / "unseen", **changes)
    with Path(os.devnull).open("w") as nowhere:
        hooks = (
            LogTensors(["probabilities", "conv1.weight"], every=5, file=nowhere),
            PlainProgress(nowhere),
            Nosy(),
        )
        trained(tmp_path / "watched", hooks=hooks, **changes)
    assert hashes(tmp_path / "unseen", 30) == hashes(tmp_path / "watched", 30)


class Poison(Hook):
    """Spoils a weight after a step."""

    def __init__(self, at: int) -> None:
        self.at = at

    def begin(self, start: Start) -> None:
        self.model = start.model

    def after_step(self, step: Step) -> None:
        if step.number == self.at:
            with torch.no_grad():
                next(self.model.parameters()).fill_(torch.nan)


def test_a_non_finite_loss_names_its_step_and_is_never_saved(tmp_path: Path) -> None:
    watch = Watch()
    with pytest.raises(NonFiniteLossError, match=r"nan at step 13: lower .* learning rate") as hit:
        trained(tmp_path, hooks=(Poison(at=12), watch))
    newest = tmp_path / "checkpoints" / "step-00000010"
    assert str(hit.value).endswith(f"the newest checkpoint is {newest}")
    checkpoint = load(found(tmp_path / "checkpoints")[0])
    assert checkpoint.step == 10
    assert all(tensor.isfinite().all() for tensor in checkpoint.weights.values())
    assert watch.ended == 1


def test_a_non_finite_loss_before_the_first_checkpoint_names_none(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLossError, match="learning rate; no checkpoint was written yet"):
        trained(tmp_path, hooks=(Poison(at=2),))


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLossError, match="weights are not finite after step 20"):
        trained(tmp_path, hooks=(Poison(at=20),))
    assert [path.name for path in found(tmp_path / "checkpoints")] == ["step-00000010"]


@pytest.mark.parametrize(
    ("learning_rate", "complaint"), [(1e30, "at step 2"), (1e300, "after step 1")]
)
def test_too_high_a_learning_rate_is_an_error(
    learning_rate: float, complaint: str, tmp_path: Path
) -> None:
    steps = int(complaint[-1])
    with pytest.raises(NonFiniteLossError, match=complaint):
        trained(
            tmp_path, network="small", optimizer="sgd", learning_rate=learning_rate, steps=steps
        )
    assert found(tmp_path / "checkpoints") == []


class Dies(Hook):
    """Fails after a step."""

    def __init__(self, error: Exception, at: int = 13) -> None:
        self.error, self.at = error, at

    def after_step(self, step: Step) -> None:
        if step.number == self.at:
            raise self.error


def test_a_failing_hook_is_named_with_the_checkpoint_to_go_on_from(tmp_path: Path) -> None:
    watch = Watch()
    with pytest.raises(HookError, match=r"hook Dies failed: KeyError: 'x'; .*10 is whole: train"):
        trained(tmp_path / "run", hooks=(watch, Dies(KeyError("x"))))
    assert watch.ended == 1
    trained(tmp_path / "run")
    trained(tmp_path / "alone")
    assert hashes(tmp_path / "run", 30) == hashes(tmp_path / "alone", 30)


def test_an_error_of_this_package_in_a_hook_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"^mine$"):
        trained(tmp_path, hooks=(Dies(RunError("mine")),))


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: not enough memory: you")]
)
def test_running_out_of_memory_is_one_line_with_the_checkpoint_to_go_on_from(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = Trainer.advance

    def starved(trainer: Trainer) -> Step:
        if trainer.step == 13:
            raise error
        return advance(trainer)

    monkeypatch.setattr(Trainer, "advance", starved)
    with pytest.raises(RunError, match=r"out of memory after step 13: .*step-00000010 is whole"):
        trained(tmp_path)


def test_a_failure_before_the_first_checkpoint_says_that_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(HookError, match="no checkpoint was written yet"):
        trained(tmp_path, hooks=(Dies(ValueError(), at=3),))


def test_a_run_that_is_being_trained_is_not_trained_again(tmp_path: Path) -> None:
    with (
        locked(tmp_path),
        pytest.raises(RunError, match=f"is being trained by process {os.getpid()} on"),
    ):
        trained(tmp_path)


@pytest.mark.parametrize("others", [["model.onnx"], ["7", "seed-0", "x.png", "y.png"]])
def test_training_in_a_folder_of_something_else_is_refused_before_anything_is_written(
    others: list[str], tmp_path: Path
) -> None:
    for name in others:
        (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(RunError, match=f"has no recipe.json, but holds {others[0]}.*new or empty"):
        trained(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
    assert all((tmp_path / name).read_bytes() == b"mine" for name in others)


def test_what_a_killed_start_leaves_behind_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / ".recipe.json.abc.tmp").mkdir()
    (tmp_path / ".DS_Store").touch()
    assert trained(tmp_path).step == 30


def test_the_metrics_are_means_over_the_steps_since_the_last_ones(tmp_path: Path) -> None:
    watch = Watch()
    trained(tmp_path, hooks=(watch,), steps=25, log_every=10)
    logged = {line["step"]: line["loss"] for line in watch.metrics if "loss" in line}
    assert list(logged) == [10, 20, 25]
    assert logged[20] == pytest.approx(np.mean(watch.losses[10:20]), rel=1e-5)
    assert logged[25] == pytest.approx(np.mean(watch.losses[20:25]), rel=1e-5)


def test_validation_follows_every_checkpoint(tmp_path: Path) -> None:
    watch = Watch()
    trained(tmp_path, hooks=(watch,), steps=25)
    lines = [line for line in watch.metrics if "validation_loss" in line]
    assert [line["step"] for line in lines] == [10, 20, 25]
    assert lines[-1]["validation_accuracy"] > 0.9


def test_one_cycle_peaks_at_the_learning_rate_and_ends_near_0(tmp_path: Path) -> None:
    watch = Watch()
    trained(tmp_path, hooks=(watch,), schedule="one-cycle", steps=50, log_every=1)
    rates = [line["learning_rate"] for line in watch.metrics if "learning_rate" in line]
    peak = rates.index(max(rates))
    assert rates[peak] == pytest.approx(0.01)
    assert peak == 9  # a fifth of the way
    assert rates == sorted(rates[: peak + 1]) + sorted(rates[peak + 1 :], reverse=True)
    assert 0 < rates[-1] < 0.03 * max(rates)
