"""Signals: Ctrl-C and SIGTERM end a run after its step and a checkpoint."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny import SendSignal, Watch, hashes, trained
from tiny import one_thread as one_thread  # a fixture of every test here

from cnn_mnist.errors import Interrupted
from cnn_mnist.runs.checkpoint import found


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


@pytest.mark.usefixtures("handlers")
def test_a_signal_in_the_last_step_leaves_a_finished_run(tmp_path: Path) -> None:
    trained(tmp_path, hooks=(SendSignal(signal.SIGINT, at=30),))
    assert found(tmp_path / "checkpoints")[0].name == "step-00000030"
