"""Dense layers are trained as convolutions."""

import copy

import pytest
import torch
from torch import nn

from cnn_mnist.training.fast_linear import speed_up


def pair(inputs: int = 40, outputs: int = 64) -> tuple[nn.Linear, nn.Linear]:
    torch.manual_seed(0)
    ours, theirs = nn.Linear(inputs, outputs), nn.Linear(inputs, outputs)
    theirs.load_state_dict(ours.state_dict())
    speed_up(ours)
    return ours, theirs


@pytest.mark.parametrize("transposed", [False, True])
def test_values_and_gradients_are_those_of_torchs_layer(transposed: bool) -> None:
    ours, theirs = pair()
    data, wanted = torch.randn(40, 7).t() if transposed else torch.randn(7, 40), torch.randn(7, 64)
    grads = []
    for layer in (ours, theirs):
        inputs = data.clone().requires_grad_()
        outputs = layer(inputs)
        assert outputs.shape == (7, 64)
        (outputs * wanted).sum().backward()
        grads.append((outputs, inputs.grad, layer.weight.grad, layer.bias.grad))
    for mine, its in zip(*grads, strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-5, atol=1e-5)


def test_training_computes_it_as_a_convolution() -> None:
    ours, _ = pair()
    assert "_Product" in type(ours(torch.randn(2, 40)).grad_fn).__name__


@pytest.mark.parametrize("how", ["in use", "in bfloat16", "in float64"])
def test_elsewhere_torch_computes_it(how: str) -> None:
    ours, theirs = pair()
    inputs = torch.randn(5, 40)
    if how == "in use":
        ours.eval()
    if how == "in float64":
        ours, theirs, inputs = ours.double(), theirs.double(), inputs.double()
    with torch.autocast("cpu", torch.bfloat16, enabled=how == "in bfloat16"):
        outputs, expected = ours(inputs), theirs(inputs)
    assert torch.equal(outputs, expected)
    assert outputs.dtype == (torch.bfloat16 if how == "in bfloat16" else inputs.dtype)


def test_narrow_layers_stay_as_they_are() -> None:
    layer = nn.Linear(40, 10)
    speed_up(layer)
    assert "forward" not in vars(layer)


def test_a_copy_is_sped_up_on_its_own_weights() -> None:
    ours, _ = pair()
    copied = copy.deepcopy(ours)
    with torch.no_grad():
        ours.weight.zero_()
    inputs = torch.randn(3, 40)
    assert not torch.equal(copied(inputs), ours(inputs))
    assert "_Product" in type(copied(inputs).grad_fn).__name__


def test_inputs_of_other_than_two_dimensions_are_left_to_torch() -> None:
    ours, theirs = pair()
    rows = torch.randn(2, 5, 40)
    assert torch.equal(ours(rows), theirs(rows))
