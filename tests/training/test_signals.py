"""Signals: Ctrl-C and SIGTERM end a run after its step and a checkpoint."""

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tiny import SendSignal, Watch, hashes, trained
from tiny import one_thread as one_thread  # a fixture of every test here

from cnn_mnist.errors import Interrupted
from cnn_mnist.runs.checkpoint import found
from cnn_mnist.training.hooks import Hook


@pytest.fixture
def handlers() -> Iterator[tuple[object, object]]:
    """Set Python's own signal handlers: a shell starts background jobs without them."""
    numbers = signal.SIGINT, signal.SIGTERM
    before = [signal.getsignal(number) for number in numbers]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield signal.default_int_handler, signal.SIG_DFL
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_run_with_a_checkpoint_of_the_step_reached(
    number: signal.Signals, handlers: tuple[object, object], tmp_path: Path
) -> None:
    watch = Watch()
    with pytest.raises(Interrupted, match=rf"{number.name} at step 7; .*step-00000007") as caught:
        trained(tmp_path / "run", hooks=(SendSignal(number, at=7), watch))
    assert caught.value.exit_code == 128 + number
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    assert watch.steps == list(range(1, 8))
    assert watch.ended == 1

    trained(tmp_path / "run")
    trained(tmp_path / "alone")
    assert hashes(tmp_path / "run", 30) == hashes(tmp_path / "alone", 30)


@pytest.mark.usefixtures("handlers")
def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, hooks=(SendSignal(signal.SIGINT, at=7, times=2),))
    assert found(tmp_path / "checkpoints") == []


class SignalInValidation(Hook):
    """Sends SIGTERM to this process in the validation pass after the last step."""

    def on_metrics(self, metrics: Mapping[str, float]) -> None:
        if "validation_loss" in metrics and metrics["step"] == 30:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(
    "hook", [SendSignal(signal.SIGTERM, at=30), SignalInValidation()], ids=["step", "validation"]
)
def test_a_signal_at_the_end_is_not_swallowed(hook: Hook, tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match=r"SIGTERM at step 30; .*step-00000030") as caught:
        trained(tmp_path, hooks=(hook,))
    assert caught.value.exit_code == 143
    assert trained(tmp_path).step == 30


@pytest.mark.usefixtures("handlers")
@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_a_closed_terminal_stops_the_run_with_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match="SIGHUP at step 7") as caught:
        trained(tmp_path, hooks=(SendSignal(signal.SIGHUP, at=7),))
    assert caught.value.exit_code == 129
    assert found(tmp_path / "checkpoints")[0].name == "step-00000007"


@pytest.mark.usefixtures("handlers")
@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_a_run_under_nohup_is_not_stopped_by_a_closed_terminal(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert trained(tmp_path, hooks=(SendSignal(signal.SIGHUP, at=7),)).step == 30
    finally:
        signal.signal(signal.SIGHUP, before)
