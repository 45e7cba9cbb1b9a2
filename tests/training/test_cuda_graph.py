"""The CUDA graph's rules on any device; the recording itself needs a GPU."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from tiny import tiny_recipe, tiny_split

from cnn_mnist.training.cuda_graph import Function, Recorder, Tensors
from cnn_mnist.training.trainer import Trainer

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")


class OnCpu(Recorder):
    """A graph's rules, kept on the CPU: nothing is computed when it is recorded, and each replay
    reads the same inputs and writes the same outputs."""

    def warm_up(self, function: Function, inputs: Tensors) -> Tensors:
        return function(*inputs)

    def record(self, function: Function, inputs: Tensors) -> Callable[[], Tensors]:
        outputs: Tensors = ()

        def replay() -> Tensors:
            nonlocal outputs
            computed = function(*inputs)
            if not outputs:
                outputs = computed
            for place, value in zip(outputs, computed, strict=True):
                place.copy_(value)
            return outputs

        return replay


class Direct(Recorder):
    """Each call as it is."""

    def call(self, function: Function, *inputs: torch.Tensor) -> Tensors:
        return function(*inputs)


def test_every_call_computes_once_and_keeps_what_it_gave() -> None:
    total = torch.zeros(())

    def add(value: torch.Tensor) -> Tensors:
        total.add_(value)
        return (total * 1,)

    recorder = OnCpu()
    given = [recorder.call(add, torch.tensor(float(value))) for value in range(8)]
    assert [float(value) for (value,) in given] == [0, 1, 3, 6, 10, 15, 21, 28]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "sgd"},
        {"network": "small", "dropout": 0.4, "precision": "bfloat16", "schedule": "one-cycle"},
        {"network": "cnn-bn", "augmentation": "elastic", "label_smoothing": 0.1, "steps": 8},
    ],
)
def test_a_recorded_step_is_the_step(
    changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def trainer(recorder: type[Recorder]) -> Trainer:
        monkeypatch.setattr(Trainer, "_new_recorder", lambda self: recorder())
        return Trainer(tiny_recipe(**changes), tiny_split(64), 10, seed=1, device="cpu")

    plain, recorded, resumed = (trainer(kind) for kind in (Direct, OnCpu, OnCpu))
    for number in range(plain.recipe.steps):
        if number == 6:
            resumed.restore(deepcopy(recorded.checkpoint()))  # as from a disk
        ours, theirs = recorded.advance(), plain.advance()
        assert torch.equal(ours.loss, theirs.loss)
        assert torch.equal(ours.logits, theirs.logits)
        if number >= 6:
            assert torch.equal(resumed.advance().loss, theirs.loss)
    ends = (each.model.state_dict().values() for each in (recorded, plain, resumed))
    for ours, theirs, again in zip(*ends, strict=True):
        assert torch.equal(ours, theirs)
        assert torch.equal(again, theirs)


@needs_gpu
def test_on_a_gpu_a_resumed_run_ends_with_the_same_weights() -> None:
    def trainer() -> Trainer:
        recipe = tiny_recipe(network="small", dropout=0.4, schedule="one-cycle")
        return Trainer(recipe, tiny_split(64), 10, seed=1, device="cuda")

    whole, resumed = trainer(), trainer()
    for number in range(whole.recipe.steps):
        if number == 6:
            resumed.restore(deepcopy(whole.checkpoint()))
        step = whole.advance()
        if number >= 6:
            assert torch.equal(resumed.advance().loss, step.loss)
    ends = (each.model.state_dict().values() for each in (whole, resumed))
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*ends, strict=True))
