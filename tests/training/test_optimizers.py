"""Optimizers: what they are given, what they refuse, and that every one of them resumes exactly."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import hashes, tiny_recipe, trained
from tiny import one_thread as one_thread  # a fixture of every test here
from torch import nn

from cnn_mnist.errors import RecipeError, RunError
from cnn_mnist.recipe import Recipe
from cnn_mnist.training.muon import MuonWithAdamW
from cnn_mnist.training.optimizer_state import load_state, state_of
from cnn_mnist.training.optimizers import (
    OPTIMIZERS,
    build_optimizer,
    can_be_recorded,
    require_usable_optimizer,
)

REFUSED = {"LBFGS", "SparseAdam"}
TORCH = sorted(
    name
    for name, kind in vars(torch.optim).items()
    if isinstance(kind, type) and kind is not torch.optim.Optimizer and name not in REFUSED
)


def sgd_with(**changes: Any) -> dict[str, Any]:
    return {"optimizer": "sgd", "learning_rate": 0.05} | changes


@pytest.mark.parametrize(
    "changes",
    [
        *[pytest.param({"optimizer": name}, id=name) for name in TORCH],
        pytest.param(sgd_with(), id="sgd"),
        pytest.param(sgd_with(momentum=0.9, weight_decay=0.01), id="sgd-momentum"),
        pytest.param(sgd_with(momentum=0.9, nesterov=True), id="sgd-nesterov"),
        pytest.param({"optimizer": "adam", "weight_decay": 0.01}, id="adam"),
        pytest.param({"optimizer": "adam", "optimizer_options": {"amsgrad": True}}, id="amsgrad"),
        pytest.param({"optimizer": "muon", "weight_decay": 0.1}, id="muon"),
        pytest.param(
            {"optimizer": "RMSprop", "momentum": 0.9, "optimizer_options": {"centered": True}},
            id="RMSprop-centered",
        ),
    ],
)
def test_a_resumed_run_ends_with_the_same_bits(changes: dict[str, Any], tmp_path: Path) -> None:
    changes = {"network": "small", "batch_size": 8, "checkpoint_every": 3} | changes
    trained(tmp_path / "resumed", steps=3, **changes)
    trained(tmp_path / "resumed", steps=7, **changes)
    trained(tmp_path / "alone", steps=7, **changes)
    assert hashes(tmp_path / "resumed", 7) == hashes(tmp_path / "alone", 7)
    assert hashes(tmp_path / "alone", 7)[0] != hashes(tmp_path / "alone", 3)[0]


def test_every_optimizer_of_torch_has_its_name() -> None:
    assert {"RMSprop", "Adagrad", "NAdam", "Muon", "SGD"} <= set(OPTIMIZERS.names())


def test_every_optimizer_that_is_listed_can_be_used() -> None:
    for name in OPTIMIZERS.names():
        require_usable_optimizer(tiny_recipe(optimizer=name))
    assert not set(REFUSED) & set(OPTIMIZERS.names())
    with pytest.raises(RecipeError) as caught:
        OPTIMIZERS.get("Foo")
    assert "RMSprop" in str(caught.value)
    assert not any(name in str(caught.value) for name in REFUSED)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "LBFGS"}, "optimizer 'LBFGS' cannot be used here.*closure"),
        ({"optimizer": "SparseAdam"}, "optimizer 'SparseAdam' cannot be used here.*dense"),
        (
            {"optimizer": "RMSprop", "optimizer_options": {"alhpa": 0.9}},
            r"optimizer 'RMSprop' cannot be made with \{'alhpa': 0.9\}: .*'alhpa'",
        ),
        (
            {"optimizer": "RMSprop", "optimizer_options": {"alpha": "high"}},
            "optimizer 'RMSprop' cannot be made with",
        ),
        (
            {"optimizer": "adam", "optimizer_options": {"lr": 0.1}},
            "optimizer_options.lr is not an option: it is the field learning_rate",
        ),
        (
            {"optimizer": "RMSprop", "optimizer_options": {"momentum": 0.9}},
            "optimizer_options.momentum is not an option: it is the field momentum",
        ),
        (
            {"optimizer": "muon", "optimizer_options": {"weight_decay": 0.1}},
            "optimizer_options.weight_decay is not an option",
        ),
        ({"optimizer": "adam", "momentum": 0.9}, "momentum=0.9: the optimizer adam has none"),
        ({"optimizer": "muon", "momentum": 0.9}, "momentum=0.9: the optimizer muon has none"),
        ({"optimizer": "Rprop", "weight_decay": 0.1}, "weight_decay=0.1: the optimizer Rprop has"),
    ],
)
def test_what_an_optimizer_does_not_take_is_refused_before_anything_is_written(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=message):
        trained(tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_muon_is_refused_where_there_is_no_matrix_but_the_logits(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"the network softmax has no matrix but .* use adam"):
        trained(tmp_path / "run", optimizer="muon", network="softmax")


def test_the_recipes_settings_reach_torch() -> None:
    recipe = tiny_recipe(
        **sgd_with(momentum=0.8, nesterov=True, weight_decay=0.02),
        optimizer_options={"dampening": 0.0, "fused": False, "foreach": True},
    )
    (group,) = build_optimizer(recipe, nn.Linear(2, 2), recorded=False).param_groups
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.05, 0.8, 0.02)
    assert (group["nesterov"], group["fused"], group["foreach"]) == (True, False, True)
    recipe = tiny_recipe(optimizer="NAdam", beta1=0.7, beta2=0.8)
    assert build_optimizer(recipe, nn.Linear(2, 2), recorded=False).defaults["betas"] == (0.7, 0.8)
    recipe = tiny_recipe(optimizer="Adafactor", optimizer_options={"eps": [1e-20, 0.01]})
    made = build_optimizer(recipe, nn.Linear(2, 2), recorded=False)
    assert made.defaults["eps"] == (1e-20, 0.01)


def test_only_a_fused_step_is_recorded_on_a_gpu() -> None:
    assert can_be_recorded(tiny_recipe(optimizer="sgd"))
    assert can_be_recorded(tiny_recipe(optimizer="adam", optimizer_options={"eps": 1e-6}))
    assert not can_be_recorded(tiny_recipe(optimizer="adam", optimizer_options={"fused": False}))
    assert not any(can_be_recorded(tiny_recipe(optimizer=name)) for name in [*TORCH, "muon"])


def kernels_and_bias(memory_format: torch.memory_format) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    values = [torch.randn(size, generator=generator) for size in ((6, 3, 2, 2), (4, 6), (4,))]
    values[0] = values[0].contiguous(memory_format=memory_format)
    parameters = [nn.Parameter(value) for value in values]
    for parameter in parameters:
        parameter.grad = torch.empty_like(parameter).copy_(
            torch.randn(parameter.shape, generator=generator)
        )
    return parameters


def muon_of(parameters: list[nn.Parameter]) -> MuonWithAdamW:
    return MuonWithAdamW(parameters[:2], parameters[2:], 0.1, muon={}, adamw={"weight_decay": 0.01})


def test_muon_updates_matrices_as_torch_does_and_the_rest_by_adamw() -> None:
    ours, theirs = (kernels_and_bias(torch.contiguous_format) for _ in range(2))
    muon_of(ours).step()
    kernel = nn.Parameter(theirs[0].detach().flatten(1))
    assert theirs[0].grad is not None
    kernel.grad = theirs[0].grad.flatten(1)
    torch.optim.Muon([kernel, theirs[1]], lr=0.1).step()
    torch.optim.AdamW([theirs[2]], lr=0.1, weight_decay=0.01).step()
    assert torch.equal(ours[0].flatten(1), kernel)
    assert torch.equal(ours[1], theirs[1])
    assert torch.equal(ours[2], theirs[2])


def test_muon_does_not_depend_on_the_memory_order_of_a_kernel() -> None:
    first, last = (
        kernels_and_bias(order) for order in (torch.contiguous_format, torch.channels_last)
    )
    before = first[0].detach().clone()
    for parameters in (first, last):
        muon_of(parameters).step()
    assert last[0].is_contiguous(memory_format=torch.channels_last)
    # the columns are added up in another order, in bfloat16
    torch.testing.assert_close(first[0], last[0], atol=0.003, rtol=0)
    assert (first[0] - before).abs().mean() > 0.01


def test_muons_logits_and_biases_are_left_to_adamw() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 3), nn.Linear(3, 4))
    optimizer = build_optimizer(tiny_recipe(optimizer="muon"), model, recorded=False)
    names = {parameter: name for name, parameter in model.named_parameters()}
    matrices, others = ([names[each] for each in g["params"]] for g in optimizer.param_groups)
    assert matrices == ["0.weight", "2.weight"]
    assert others == ["0.bias", "1.weight", "1.bias", "2.bias", "3.weight", "3.bias"]


class Counting(torch.optim.Optimizer):
    """An optimizer of a user's own, which keeps plain numbers."""

    def __init__(self, params: Any, lr: float, *, decay: float = 0.5) -> None:
        super().__init__(params, {"lr": lr, "decay": decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                state["count"] = state.get("count", 0) + 1
                state["scale"] = state.get("scale", 1.0) * group["decay"] ** 0.1
                parameter.add_(parameter.grad, alpha=-group["lr"] * state["scale"])


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], str]:
    """Registers an optimizer of a user's own for one test; returns its name."""
    monkeypatch.setattr(OPTIMIZERS, "_parts", dict(OPTIMIZERS._parts))

    def add(part: Any) -> str:
        OPTIMIZERS.register("mine:part")(part)
        return "mine:part"

    return add


def test_a_users_own_class_takes_options_and_resumes_exactly(
    register: Callable[[object], str], tmp_path: Path
) -> None:
    changes = {"optimizer": register(Counting), "optimizer_options": {"decay": 0.8}}
    trained(tmp_path / "resumed", steps=10, **changes)
    trained(tmp_path / "resumed", steps=20, **changes)
    trained(tmp_path / "alone", steps=20, **changes)
    assert hashes(tmp_path / "resumed", 20) == hashes(tmp_path / "alone", 20)


def test_a_users_own_function_is_given_model_and_recipe(
    register: Callable[[object], str], tmp_path: Path
) -> None:
    def only_bias(model: nn.Module, recipe: Recipe, learning_rate: float) -> torch.optim.Optimizer:
        biases = [each for name, each in model.named_parameters() if name.endswith("bias")]
        return torch.optim.SGD(biases or model.parameters(), lr=learning_rate)

    start = trained(tmp_path / "start", steps=1, optimizer="sgd", learning_rate=0.0)
    run = trained(tmp_path / "run", optimizer=register(only_bias))
    assert torch.equal(run.model.logits.weight, start.model.logits.weight)
    assert not torch.equal(run.model.logits.bias, start.model.logits.bias)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (lambda model, recipe, rate: None, "optimizer 'mine:part' gave NoneType: expected a torch"),
        (lambda model, recipe, rate: 1 / 0, "optimizer 'mine:part' cannot be made: division"),
        (lambda model: None, "optimizer 'mine:part' cannot be made: .* positional argument"),
    ],
)
def test_a_users_own_that_gives_no_optimizer_is_one_line(
    part: object, message: str, register: Callable[[object], str], tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=message):
        trained(tmp_path / "run", optimizer=register(part))
    assert not (tmp_path / "run").exists()


def test_state_that_a_checkpoint_cannot_hold_is_refused_at_once(
    register: Callable[[object], str], tmp_path: Path
) -> None:
    class Listing(Counting):
        @torch.no_grad()
        def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
            super().step()
            for state in self.state.values():
                state["history"] = [1, 2]

    with pytest.raises(RecipeError, match="keeps 'history' as list, which a checkpoint cannot"):
        trained(tmp_path / "run", optimizer=register(Listing))


def two_layers_of_which_one_is_used() -> nn.ModuleDict:
    model = nn.ModuleDict({"used": nn.Linear(3, 2), "unused": nn.Linear(3, 2)})
    with torch.no_grad():
        for value in model.parameters():
            value.fill_(0.5)
    return model


def a_step(model: nn.ModuleDict, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model["used"](torch.arange(3.0)).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("name", ["adam", "Adagrad"])
def test_a_parameter_that_never_had_a_gradient_stays_without_state(name: str) -> None:
    recipe = tiny_recipe(optimizer=name, weight_decay=0.1)
    model = two_layers_of_which_one_is_used()
    optimizer = build_optimizer(recipe, model, recorded=False)
    a_step(model, optimizer)
    kept = deepcopy(state_of(optimizer, model))
    again = deepcopy(model)
    resumed = build_optimizer(recipe, again, recorded=False)
    load_state(resumed, again, kept)
    assert state_of(resumed, again).keys() == kept.keys()
    for _ in range(2):
        a_step(model, optimizer)
        a_step(again, resumed)
    for ours, theirs in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(again["unused"].weight, torch.full((2, 3), 0.5))


def test_state_that_does_not_fit_is_refused_and_the_weights_stay() -> None:
    recipe, model = tiny_recipe(optimizer="muon"), nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    optimizer = build_optimizer(recipe, model, recorded=False)
    before = deepcopy(model.state_dict())
    with pytest.raises(RunError, match=r"optimizer state '0\.weight/momentum_buffer' fits no"):
        load_state(optimizer, model, {"0.weight/momentum_buffer": torch.zeros(3, 2)})
    with pytest.raises(RunError, match=r"optimizer state '0\.bias/exp_avg' fits no"):
        load_state(optimizer, model, {"0.bias/exp_avg": torch.zeros(2, dtype=torch.float64)})
    with pytest.raises(RunError, match=r"lacks the optimizer state '0\.bias/exp_avg_sq'"):
        load_state(
            optimizer, model, {"0.bias/exp_avg": torch.zeros(2), "0.bias/step": torch.zeros(())}
        )
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
