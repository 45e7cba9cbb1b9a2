"""The step: what it computes, and what it refuses."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny import one_thread as one_thread  # a fixture of every test here
from tiny import tiny_recipe, tiny_split, trained
from torch import nn

from cnn_mnist.data.batch_order import BatchOrder
from cnn_mnist.data.dataset import Split
from cnn_mnist.errors import RunError
from cnn_mnist.recipe import named
from cnn_mnist.runs.checkpoint import found, load
from cnn_mnist.training.schedules import learning_rate_at
from cnn_mnist.training.trainer import Trainer


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


def test_bfloat16_rounds_products_but_not_weights_or_optimizer_state() -> None:
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


def test_the_tutorial_recipe_trains_as_the_tutorial() -> None:
    recipe = named("tutorial")
    optimizer = Trainer(recipe, tiny_split(20), 10, seed=0, device="cpu").optimizer
    assert type(optimizer) is torch.optim.SGD
    group = optimizer.param_groups[0]
    assert (group["momentum"], group["nesterov"], group["weight_decay"]) == (0, False, 0)
    assert {learning_rate_at(recipe, step) for step in range(recipe.steps)} == {0.001}
    facts = recipe.network, recipe.batch_size, recipe.steps, recipe.dropout
    assert facts == ("cnn", 100, 20_000, 0.4)
    assert (recipe.label_smoothing, recipe.augmentation) == (0, "none")


class PlainTutorial(nn.Module):
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
    plain = PlainTutorial().double()
    plain.load_state_dict({key: value.clone() for key, value in trainer.model.state_dict().items()})
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1)
    batches = BatchOrder(30, 8, seed=3)
    for number in range(20):
        images = torch.from_numpy(split.images[batches[number]] / np.float32(255))[:, None]
        loss = F.cross_entropy(
            plain(images.double()), torch.from_numpy(split.labels[batches[number]]).long()
        )
        optimizer.zero_grad()
        loss.backward()
        step = trainer.advance()
        assert float(step.loss) == pytest.approx(float(loss.detach()), abs=1e-9)
        theirs = dict(trainer.model.named_parameters())
        for name, parameter in plain.named_parameters():
            torch.testing.assert_close(theirs[name].grad, parameter.grad, atol=1e-9, rtol=1e-6)
        optimizer.step()
    assert float(step.loss) < 2.2  # and the loop does learn


def test_dropout_differs_in_every_step_and_is_only_used_in_training() -> None:
    recipe = tiny_recipe(
        network="small", dropout=0.5, optimizer="sgd", learning_rate=0, batch_size=20
    )
    split = tiny_split(20)
    trainer = Trainer(recipe, split, 10, seed=0, device="cpu")
    first, second = (float(trainer.advance().loss) for _ in range(2))
    # the weights stay and each batch is the whole split: only dropout differs
    assert first != pytest.approx(second, abs=1e-4)
    assert (trainer.classify(split.images) == trainer.classify(split.images)).all()


@pytest.mark.parametrize("form", ["read-only", "backwards"])
def test_arrays_that_torch_cannot_share_can_be_trained_on(form: str) -> None:
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


def test_the_order_of_the_images_does_not_depend_on_prefetching() -> None:
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
