"""Hooks: what they are told, keep and show."""

import io
import json
import signal
import sys
from pathlib import Path

import pytest
import torch
from tiny import SendSignal, Watch, tiny_dataset, tiny_recipe, trained
from tiny import one_thread as one_thread  # a fixture of every test here

from cnn_mnist.errors import HookError, Interrupted, MissingExtraError, RunError
from cnn_mnist.networks.build import build
from cnn_mnist.runs.identity import Identity, read_identity
from cnn_mnist.runs.run import Run
from cnn_mnist.training.hooks import (
    End,
    Hook,
    JsonLines,
    LogTensors,
    PlainProgress,
    ProgressBar,
    Start,
    Step,
    TensorBoard,
    make_hook,
)
from cnn_mnist.training.hooks.progress import progress


def start(run_dir: Path, first_step: int = 0) -> Start:
    recipe = tiny_recipe()
    return Start(
        run_dir=run_dir,
        recipe=recipe,
        model=build(recipe, 10),
        first_step=first_step,
        identity=Identity.of(recipe, tiny_dataset(), 0),
        request_stop=print,
    )


def step(number: int) -> Step:
    logits = torch.tensor([[0.0, 1.0, 0.0], [2.0, 0.0, 0.0]])
    return Step(number=number, loss=torch.tensor(0.5), logits=logits, labels=torch.tensor([1, 2]))


END = End(outcome="finished", step=30, reason=None, metrics={})
MEASURED = {"loss": 0.5, "accuracy": 0.25, "images_per_second": 1234.5, "learning_rate": 0.01}


def test_a_users_own_hook_gets_every_step_and_all_metrics(tmp_path: Path) -> None:
    class Mine(Watch):
        def begin(self, start: Start) -> None:
            self.start = start

        def after_step(self, step: Step) -> None:
            super().after_step(step)
            torch.testing.assert_close(step.probabilities.sum(dim=1), torch.ones(16))
            assert torch.equal(step.classes, step.probabilities.argmax(dim=1))
            assert step.labels.shape == (16,)

    mine = Mine()
    trained(tmp_path, hooks=(Hook(), mine), steps=25)
    assert mine.start.run_dir == tmp_path
    assert mine.start.first_step == 0
    assert mine.start.identity == read_identity(Run(tmp_path))
    assert mine.steps == list(range(1, 26))
    logged = {"step", "loss", "accuracy", "learning_rate", "images_per_second"}
    validated = {"step", "validation_loss", "validation_accuracy"}
    assert [set(line) for line in mine.metrics] == [logged, validated] * 3
    assert mine.ended == 1


def test_a_hook_is_ended_when_another_fails_to_begin(tmp_path: Path) -> None:
    class Broken(Hook):
        def begin(self, start: Start) -> None:
            raise RunError("broken")

    watch = Watch()
    with pytest.raises(RunError, match="broken"):
        trained(tmp_path, hooks=(watch, Broken()))
    assert watch.ended == 1


# --- the end


def test_a_finished_run_ends_with_the_latest_value_of_each_metric(tmp_path: Path) -> None:
    watch = Watch()
    trained(tmp_path, hooks=(watch,))
    end = watch.the_end
    assert (end.outcome, end.step, end.reason) == ("finished", 30, None)
    latest = watch.metrics[-2] | watch.metrics[-1]
    assert end.metrics == {name: latest[name] for name in latest if name != "step"}
    assert set(end.metrics) >= {"loss", "validation_loss", "learning_rate"}


def test_a_failed_run_ends_with_the_error(tmp_path: Path) -> None:
    class Fails(Hook):
        def after_step(self, step: Step) -> None:
            if step.number == 13:
                raise KeyError("x")

    watch = Watch()
    with pytest.raises(HookError):
        trained(tmp_path, hooks=(watch, Fails()))
    assert (watch.the_end.outcome, watch.the_end.step) == ("failed", 13)
    assert watch.the_end.reason == "the hook Fails failed: KeyError: 'x'"
    assert "validation_loss" in watch.the_end.metrics


def test_an_interrupted_run_ends_with_the_signal(tmp_path: Path) -> None:
    watch = Watch()
    with pytest.raises(Interrupted):
        trained(tmp_path, hooks=(watch, SendSignal(signal.SIGTERM, at=7)))
    assert (watch.the_end.outcome, watch.the_end.step) == ("interrupted", 7)
    assert str(watch.the_end.reason).startswith("stopped by SIGTERM at step 7")


def test_a_hook_that_fails_at_the_end_is_named_and_the_others_are_ended(tmp_path: Path) -> None:
    class Fails(Hook):
        def end(self, end: End) -> None:
            raise ValueError("the disk is full")

    watch = Watch()
    with pytest.raises(HookError, match="hook Fails failed: ValueError: the disk is full"):
        trained(tmp_path, hooks=(watch, Fails()))
    assert watch.ended == 1
    assert watch.the_end.outcome == "failed"


# --- hooks that are named


OWN = """
from cnn_mnist import Hook

class Plain(Hook):
    pass

class OfARun(Hook):
    def __init__(self, run):
        self.run = run

def factory(run):
    return OfARun(run)

def nothing(run):
    pass

def fails(run):
    raise KeyError("token")

def no_argument():
    return Plain()

def two_arguments(run, other):
    return Plain()

class Keyword(Hook):
    def __init__(self, *, token):
        pass

number = 7
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of hooks in the current directory."""
    name = "own_hooks_" + tmp_path.name.replace("-", "_")
    (tmp_path / f"{name}.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return name


@pytest.mark.parametrize(
    ("factory", "kind"), [("factory", "OfARun"), ("OfARun", "OfARun"), ("Plain", "Plain")]
)
@pytest.mark.parametrize("suffix", ["", ".py"])
def test_a_factory_or_a_class_in_a_module_or_file_makes_a_hook(
    factory: str, kind: str, suffix: str, own: str
) -> None:
    run = Run(Path("run"))
    hook = make_hook(f"{own}{suffix}:{factory}", run)
    assert type(hook).__name__ == kind
    assert getattr(hook, "run", run) is run


@pytest.mark.parametrize(
    ("factory", "complaint"),
    [
        ("nothing", "returned a NoneType and not a hook: write a function (run: Run) -> Hook"),
        ("fails", "cannot be made: KeyError: 'token'"),
        ("no_argument", "is called with one argument, the run, but takes (): write a function"),
        ("two_arguments", "but takes (run, other): write a function (run: Run) -> Hook"),
        ("Keyword", "but takes (*, token): write a function (run: Run) -> Hook, or a class"),
        ("number", "is not a function"),
        ("nosuch", "nosuch"),
    ],
)
def test_a_factory_that_makes_no_hook_is_one_line(factory: str, complaint: str, own: str) -> None:
    with pytest.raises(HookError) as caught:
        make_hook(f"{own}:{factory}", Run(Path("run")))
    assert complaint in str(caught.value)
    assert own in str(caught.value)
    assert "\n" not in str(caught.value)


# --- metrics.jsonl


def test_every_metric_of_a_run_is_a_line(tmp_path: Path) -> None:
    watch = Watch()
    trained(tmp_path, hooks=(watch,))
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == watch.metrics


@pytest.mark.parametrize(
    "torn", ['{"step": 2', '{"st', "2", '{"loss": 1}', '{"step": null}', "\0\0\0"]
)
def test_lines_beyond_the_resumed_step_and_a_torn_one_are_dropped(
    torn: str, tmp_path: Path
) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 20}\n{"step": 21}\n' + torn)
    hook = JsonLines(Run(tmp_path))
    hook.begin(start(tmp_path, first_step=20))
    hook.on_metrics({"step": 21, "loss": 0.5})
    hook.end(END)
    assert path.read_text() == '{"step": 1}\n{"step": 20}\n{"step": 21, "loss": 0.5}\n'


def test_a_line_is_there_as_soon_as_it_is_measured(tmp_path: Path) -> None:
    hook = JsonLines(Run(tmp_path))
    hook.begin(start(tmp_path))
    hook.on_metrics({"step": 1})
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1}\n'
    hook.end(END)


def test_metrics_that_cannot_be_read_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(RunError, match=r"metrics\.jsonl cannot be read"):
        JsonLines(Run(tmp_path)).begin(start(tmp_path))


# --- tensors


def test_named_tensors_are_printed_every_so_many_steps(tmp_path: Path) -> None:
    file = io.StringIO()
    hook = LogTensors(["probabilities", "classes", "logits.bias"], every=50, file=file)
    hook.begin(start(tmp_path))
    for number in range(1, 151):
        hook.after_step(step(number))
    lines = [line for line in file.getvalue().splitlines() if line.startswith("step ")]
    names = ("probabilities", "classes", "logits.bias")
    assert [line.split(" = ")[0] for line in lines] == [
        f"step {number}: {name}" for number in (50, 100, 150) for name in names
    ]
    assert lines[1] == "step 50: classes = [1 0]"
    assert "[[0.2119 0.5761 0.2119]" in lines[0]


def test_an_unknown_tensor_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        trained(tmp_path, hooks=(LogTensors(["loss", "softmax_tensor"]),))
    assert str(caught.value) == (
        "no tensor is called 'softmax_tensor': expected loss, logits, probabilities, classes, "
        "labels, logits.weight, logits.bias"
    )


def test_tensors_go_to_standard_error_unless_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hook = LogTensors(["loss"], every=1)
    hook.begin(start(tmp_path))
    hook.after_step(step(1))
    assert capsys.readouterr() == ("", "step 1: loss = 0.5\n")


# --- progress


def test_plain_progress_prints_a_line_for_each_set_of_metrics(tmp_path: Path) -> None:
    file, watch = io.StringIO(), Watch()
    trained(tmp_path, hooks=(PlainProgress(file), watch))
    lines = file.getvalue().splitlines()
    assert len(lines) == len(watch.metrics) == 6
    for line, metrics in zip(lines, watch.metrics, strict=True):
        assert line.startswith(f"step {metrics['step']}/30  ")
        assert ("images/s" in line) == ("loss" in metrics)
        assert ("validation loss" in line) == ("validation_loss" in metrics)


@pytest.mark.parametrize(
    ("seconds_a_step", "left"), [(1, "0:20 left"), (60, "20:00 left"), (400, "2:13:20 left")]
)
def test_plain_progress_prints_the_time_left(
    seconds_a_step: int, left: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    file = io.StringIO()
    hook = PlainProgress(file)
    hook.begin(start(tmp_path, first_step=5))
    now += 5 * seconds_a_step
    hook.on_metrics({"step": 10} | MEASURED)
    assert file.getvalue() == f"step 10/30  loss 0.5000  accuracy 25.00%  1,234 images/s  {left}\n"


def test_the_bar_shows_the_metrics_on_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(tmp_path, hooks=(ProgressBar(),))
    out, err = capsys.readouterr()
    assert out == ""
    assert "step 30/30" in err
    assert "step 20: validation loss" in err


@pytest.mark.parametrize(("terminal", "kind"), [(True, ProgressBar), (False, PlainProgress)])
def test_the_bar_is_only_for_terminals(
    terminal: bool, kind: type[Hook], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert type(progress(Run(Path("run")))) is kind


# --- TensorBoard


def test_tensorboard_reads_the_events(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    watch = Watch()
    trained(tmp_path, hooks=(TensorBoard(tmp_path / "events"), watch), steps=20)
    events = accumulator.EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {
        *("loss", "accuracy", "learning_rate", "images_per_second"),
        *("validation_loss", "validation_accuracy"),
    }
    read = [(event.step, event.value) for event in events.Scalars("loss")]
    kept = [(line["step"], line["loss"]) for line in watch.metrics if "loss" in line]
    assert read == [(number, pytest.approx(loss)) for number, loss in kept]


def test_tensorboard_drops_the_steps_that_are_done_again(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for first_step, steps in ((0, (10, 20)), (10, (20, 30))):
        hook = TensorBoard(tmp_path)
        hook.begin(start(tmp_path, first_step=first_step))
        for number in steps:
            hook.on_metrics({"step": number, "loss": number + first_step})
        hook.end(END)
    events = accumulator.EventAccumulator(str(tmp_path))
    events.Reload()
    read = [(event.step, event.value) for event in events.Scalars("loss")]
    assert read == [(10, 10), (20, 30), (30, 40)]


def test_a_missing_tensorboard_names_the_extra_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard.writer", raising=False)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'cnn-mnist\[tensorboard\]'"):
        TensorBoard(tmp_path)
