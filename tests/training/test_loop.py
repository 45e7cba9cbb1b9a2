"""Training: what it computes, that it can be stopped anywhere, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
import torch.nn.functional as F
from tiny import SendSignal, Watch, tiny_dataset, tiny_recipe, tiny_split, trained
from tiny import one_thread as one_thread  # a fixture of every test here
from torch import nn

from cnn_mnist.data.batch_order import BatchOrder
from cnn_mnist.data.dataset import Split
from cnn_mnist.errors import CnnMnistWarning, HookError, Interrupted, NonFiniteLossError, RunError
from cnn_mnist.files import sha256
from cnn_mnist.recipe import named
from cnn_mnist.runs.checkpoint import found, load
from cnn_mnist.runs.identity import read_identity
from cnn_mnist.runs.lock import locked
from cnn_mnist.runs.run import Run, changing
from cnn_mnist.training.hooks import Hook, LogTensors, PlainProgress, Start, Step
from cnn_mnist.training.loop import train
from cnn_mnist.training.trainer import Trainer


def hashes(run_dir: Path, step: int) -> tuple[str, str]:
    """SHA-256 of a checkpoint's weights and of its optimizer's state."""
    folder = run_dir / "checkpoints" / f"step-{step:08d}"
    return sha256(folder / "model.safetensors"), sha256(folder / "optimizer.safetensors")


def metrics(run_dir: Path) -> list[dict[str, float]]:
    """The kept metrics, without the speed."""
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [{key: line[key] for key in line if key != "images_per_second"} for line in lines]


# --- stopped and gone on with


@pytest.fixture
def handlers() -> Iterator[tuple[object, object]]:
    """Python's own signal handlers: a shell starts what is in its background without them."""
    numbers = signal.SIGINT, signal.SIGTERM
    before = [signal.getsignal(number) for number in numbers]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield signal.default_int_handler, signal.SIG_DFL
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


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
    assert metrics(tmp_path / "killed") == metrics(tmp_path / "alone")


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


def test_a_damaged_checkpoint_is_passed_over_and_its_steps_done_again(tmp_path: Path) -> None:
    trained(tmp_path / "alone")
    trained(tmp_path / "run")
    (tmp_path / "run/checkpoints/step-00000030/model.safetensors").write_bytes(b"")
    watch = Watch()
    with pytest.warns(CnnMnistWarning, match="step-00000030.*step-00000020 is used"):
        trained(tmp_path / "run", hooks=(watch,))
    assert watch.steps == list(range(21, 31))
    assert hashes(tmp_path / "run", 30) == hashes(tmp_path / "alone", 30)


def test_more_steps_of_a_constant_rate_are_the_run_that_one_go_would_have_been(
    tmp_path: Path,
) -> None:
    trained(tmp_path / "run", steps=20)
    trained(tmp_path / "run", steps=40)
    trained(tmp_path / "one go", steps=40)
    assert hashes(tmp_path / "run", 40) == hashes(tmp_path / "one go", 40)
    identity = read_identity(Run(tmp_path / "run"))
    assert identity is not None
    assert identity.recipe.steps == 40


def test_more_steps_of_one_cycle_are_warned_of(tmp_path: Path) -> None:
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


# --- the same and not the same


def test_a_seed_decides_the_weights(tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        trained(tmp_path / name, seed=seed, network="small", augmentation="affine", steps=10)
    assert hashes(tmp_path / "one", 10) == hashes(tmp_path / "same", 10)
    assert hashes(tmp_path / "one", 10) != hashes(tmp_path / "other", 10)


class Nosy(Hook):
    """Looks at everything, and draws from torch's own generator."""

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
    [("other", 0, "dataset: 'tiny' -> 'other'"), ("tiny", 1, "dataset_sha256: ")],
)
def test_another_data_set_in_the_same_directory_is_refused(
    name: str, seed: int, field: str, tmp_path: Path
) -> None:
    trained(tmp_path)
    with pytest.raises(RunError, match=field):
        train(Run(tmp_path), tiny_recipe(), tiny_dataset(name, seed=seed), device="cpu")


def test_checkpoints_without_their_recipe_are_refused(tmp_path: Path) -> None:
    trained(tmp_path)
    (tmp_path / "recipe.json").unlink()
    with pytest.raises(RunError, match=r"recipe\.json is missing"):
        trained(tmp_path)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    trained(tmp_path)
    checkpoint = load(found(tmp_path / "checkpoints")[0])
    other = Trainer(tiny_recipe(network="small"), tiny_split(20), 10, seed=0, device="cpu")
    with pytest.raises(RunError, match="do not fit the network"):
        other.restore(checkpoint)
    same = Trainer(tiny_recipe(), tiny_split(20), 10, seed=0, device="cpu")
    good = dict(checkpoint.optimizer)
    for odd in (
        good | {"conv9.weight/exp_avg": torch.zeros(1)},
        good | {"logits.bias/exp_avg": torch.zeros(1)},  # would spread over all ten
        good | {"logits.bias/step": torch.zeros(2)},
        {name: value for name, value in good.items() if name != "logits.bias/exp_avg"},
    ):
        with pytest.raises(RunError, match=r"optimizer state '(conv9\.weight|logits\.bias)/"):
            same.restore(replace(checkpoint, optimizer=odd))


def test_at_the_end_the_statistics_are_those_of_the_images_as_they_are(tmp_path: Path) -> None:
    trainer = trained(tmp_path, network="cnn-bn", steps=3, augmentation="affine", dropout=0.4)
    images = torch.from_numpy(tiny_dataset().train.images / np.float32(255))[:, None]
    with torch.no_grad():
        pooled = trainer.model.pool1(trainer.model.conv1(images))
    norm = trainer.model.norm1
    torch.testing.assert_close(norm.running_mean, pooled.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(norm.running_var, pooled.var(dim=(0, 2, 3)))
    assert norm.momentum == 0.1
    assert all(layer.training for layer in trainer.model.modules())


def test_the_statistics_at_the_end_are_those_of_images_from_everywhere() -> None:
    split = tiny_split(501)
    recipe = tiny_recipe(network="cnn-bn", augmentation="affine")
    in_order = Split(split.images[np.argsort(split.labels)], np.sort(split.labels))
    seen: list[torch.Tensor] = []
    with pytest.MonkeyPatch.context() as patch:
        # one more than a batch: a batch of one has no deviation
        patch.setattr("cnn_mnist.train._SETTLING_IMAGES", 101)
        patch.setattr("cnn_mnist.train._SETTLING_BATCH", 100)
        trainer = Trainer(recipe, in_order, 10, seed=0, device="cpu")
        trainer.model.register_forward_pre_hook(lambda model, inputs: seen.append(inputs[0]))
        trainer.settle()
    assert [len(batch) for batch in seen] == [51, 50]
    originals = torch.from_numpy(in_order.images).unsqueeze(1) / 255
    places = [
        int((originals == image).all(dim=(1, 2, 3)).nonzero()[0]) for image in torch.cat(seen)
    ]
    assert {int(in_order.labels[place]) for place in places} == set(range(10))


def test_bfloat16_rounds_the_products_and_nothing_that_is_kept() -> None:
    losses = {}
    for precision in ("float32", "bfloat16"):
        recipe = tiny_recipe(network="small", precision=precision)
        trainer = Trainer(recipe, tiny_split(64), 10, seed=0, device="cpu")
        losses[precision] = trainer.advance().loss
        kept = (*trainer.model.parameters(), *trainer.checkpoint().optimizer.values())
        assert {tensor.dtype for tensor in kept} == {torch.float32}
    torch.testing.assert_close(losses["float32"], losses["bfloat16"], rtol=0.01, atol=0)
    assert losses["float32"] != losses["bfloat16"]


@pytest.mark.parametrize("device", ["tpu", "cuda"])
def test_a_device_that_is_not_there_is_refused(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RunError, match="device"):
        Trainer(tiny_recipe(), tiny_split(20), 10, seed=0, device=device)


# --- losses that are none


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


def test_a_loss_that_is_not_finite_is_named_by_its_step_and_never_saved(tmp_path: Path) -> None:
    watch = Watch()
    with pytest.raises(NonFiniteLossError, match=r"nan at step 13: lower .* learning rate"):
        trained(tmp_path, hooks=(Poison(at=12), watch))
    checkpoint = load(found(tmp_path / "checkpoints")[0])
    assert checkpoint.step == 10
    assert all(tensor.isfinite().all() for tensor in checkpoint.weights.values())
    assert watch.ended == 1


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


# --- what ends a run from outside


class Dies(Hook):
    """Fails after a step."""

    def __init__(self, error: Exception, at: int = 13) -> None:
        self.error, self.at = error, at

    def after_step(self, step: Step) -> None:
        if step.number == self.at:
            raise self.error


def test_a_hook_that_dies_is_named_with_the_checkpoint_to_go_on_from(tmp_path: Path) -> None:
    watch = Watch()
    with pytest.raises(HookError, match=r"hook Dies failed: KeyError: 'x'; .*10 is whole: train"):
        trained(tmp_path / "run", hooks=(watch, Dies(KeyError("x"))))
    assert watch.ended == 1
    trained(tmp_path / "run")
    trained(tmp_path / "alone")
    assert hashes(tmp_path / "run", 30) == hashes(tmp_path / "alone", 30)


def test_an_error_of_this_package_in_a_hook_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLossError, match=r"^mine$"):
        trained(tmp_path, hooks=(Dies(NonFiniteLossError("mine")),))


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


def test_what_fails_before_the_first_checkpoint_says_that_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(HookError, match="no checkpoint was written yet"):
        trained(tmp_path, hooks=(Dies(ValueError(), at=3),))


def test_a_run_that_is_being_trained_is_not_trained_again(tmp_path: Path) -> None:
    with (
        locked(tmp_path),
        pytest.raises(RunError, match=f"is being trained by process {os.getpid()} on"),
    ):
        trained(tmp_path)


def test_a_damaged_result_is_warned_of_and_training_goes_on(tmp_path: Path) -> None:
    trained(tmp_path, steps=20)
    run = Run(tmp_path)
    with changing(run, run.metrics_file):
        pass
    run.metrics_file.write_bytes(run.metrics_file.read_bytes().replace(b"loss", b"lost", 1))
    with pytest.warns(CnnMnistWarning, match=r"metrics\.jsonl is damaged: its SHA-256"):
        assert trained(tmp_path, steps=30).step == 30


# --- what a step is


def test_the_tutorial_recipe_is_the_tutorials() -> None:
    recipe = named("tutorial")
    optimizer = Trainer(recipe, tiny_split(20), 10, seed=0, device="cpu").optimizer
    assert type(optimizer) is torch.optim.SGD
    group = optimizer.param_groups[0]
    assert (group["momentum"], group["nesterov"], group["weight_decay"]) == (0, False, 0)
    assert {recipe.learning_rate_at(step) for step in range(recipe.steps)} == {0.001}
    facts = recipe.network, recipe.batch_size, recipe.steps, recipe.dropout
    assert facts == ("cnn", 100, 20_000, 0.4)
    assert (recipe.label_smoothing, recipe.augmentation) == (0, "none")


class Lesson(nn.Module):
    """The tutorial's network as its text has it: each ReLU before its pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 5, padding=2), nn.Conv2d(32, 64, 5, padding=2)
        self.dense, self.logits = nn.Linear(7 * 7 * 64, 1024), nn.Linear(1024, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        pooled = F.max_pool2d(F.relu(self.conv1(images)), 2)
        pooled = F.max_pool2d(F.relu(self.conv2(pooled)), 2)
        return self.logits(F.relu(self.dense(pooled.flatten(1))))


def test_the_steps_are_those_of_a_plain_loop() -> None:
    recipe = tiny_recipe(
        network="cnn", optimizer="sgd", learning_rate=0.1, dropout=0.0, batch_size=8
    )
    split = tiny_split(30)
    trainer = Trainer(recipe, split, 10, seed=3, device="cpu")
    # in float64: in float32 the roundings of the two orders may part pixels that all but tie in a
    # pooling, and then the gradient goes another way
    trainer.model.double().register_forward_pre_hook(lambda _, inputs: inputs[0].double())
    lesson = Lesson().double()
    lesson.load_state_dict(
        {key: value.clone() for key, value in trainer.model.state_dict().items()}
    )
    optimizer = torch.optim.SGD(lesson.parameters(), lr=0.1)
    batches = BatchOrder(30, 8, seed=3)
    for number in range(20):
        images = torch.from_numpy(split.images[batches[number]] / np.float32(255))[:, None]
        loss = F.cross_entropy(
            lesson(images.double()), torch.from_numpy(split.labels[batches[number]]).long()
        )
        optimizer.zero_grad()
        loss.backward()
        step = trainer.advance()
        assert float(step.loss) == pytest.approx(float(loss.detach()), abs=1e-9)
        theirs = dict(trainer.model.named_parameters())
        for name, parameter in lesson.named_parameters():
            torch.testing.assert_close(theirs[name].grad, parameter.grad, atol=1e-9, rtol=1e-6)
        optimizer.step()
    assert float(step.loss) < 2.2  # and the loop does learn


def test_dropout_is_drawn_anew_in_every_step_and_only_in_training() -> None:
    recipe = tiny_recipe(
        network="small", dropout=0.5, optimizer="sgd", learning_rate=0, batch_size=20
    )
    split = tiny_split(20)
    trainer = Trainer(recipe, split, 10, seed=0, device="cpu")
    first, second = (float(trainer.advance().loss) for _ in range(2))
    # the weights stay and each batch is the whole split: only dropout differs
    assert first != pytest.approx(second, abs=1e-4)
    assert (trainer.classify(split.images) == trainer.classify(split.images)).all()


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


def test_one_cycle_peaks_at_the_learning_rate_and_ends_near_none(tmp_path: Path) -> None:
    watch = Watch()
    trained(tmp_path, hooks=(watch,), schedule="one-cycle", steps=50, log_every=1)
    rates = [line["learning_rate"] for line in watch.metrics if "learning_rate" in line]
    peak = rates.index(max(rates))
    assert rates[peak] == pytest.approx(0.01)
    assert peak == 9  # a fifth of the way
    assert rates == sorted(rates[: peak + 1]) + sorted(rates[peak + 1 :], reverse=True)
    assert 0 < rates[-1] < 0.03 * max(rates)


def test_time_spent_training_adds_up_over_the_sessions_of_a_run(tmp_path: Path) -> None:
    first = trained(tmp_path, steps=10).train_seconds
    assert 0 < first < trained(tmp_path, steps=30).train_seconds


@pytest.mark.parametrize("form", ["read-only", "backwards"])
def test_arrays_that_torch_cannot_share_are_trained_on_all_the_same(form: str) -> None:
    split = tiny_split(20)
    images, labels = split.images.copy(), split.labels.copy()
    if form == "backwards":
        images, labels = images[::-1].copy()[::-1], labels[::-1].copy()[::-1]
    images.setflags(write=False)
    losses: list[Mapping[str, float] | float] = []
    for each in (split, Split(images, labels)):
        trainer = Trainer(tiny_recipe(), each, 10, seed=0, device="cpu")
        losses.append(float(trainer.advance().loss))
        losses.append(float(trainer.classify(each.images).sum()))
    assert losses[:2] == losses[2:]


def test_the_order_of_the_images_does_not_depend_on_how_much_of_it_is_taken_ahead() -> None:
    recipe, split = tiny_recipe(steps=250), tiny_split(40)
    trainer = Trainer(recipe, split, 10, seed=5, device="cpu")
    batches = BatchOrder(40, recipe.batch_size, seed=5)
    for step in (0, 1, 99, 100, 101, 230, 7):  # forwards, and back to a checkpoint
        trainer.step = step
        images, labels = trainer.batch()
        assert (labels.numpy() == split.labels[batches[step]]).all()
        torch.testing.assert_close(
            images[:, 0], torch.from_numpy(split.images[batches[step]] / np.float32(255))
        )
