"""The dense layer computed as a convolution."""

import pytest
import torch
from torch import nn

from cnn_mnist.training.fast_linear import Linear


def pair(inputs: int = 40, outputs: int = 12) -> tuple[Linear, nn.Linear]:
    torch.manual_seed(0)
    ours, theirs = Linear(inputs, outputs), nn.Linear(inputs, outputs)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.mark.parametrize("transposed", [False, True])
def test_values_and_gradients_are_those_of_torchs_layer(transposed: bool) -> None:
    ours, theirs = pair()
    data, wanted = torch.randn(40, 7).t() if transposed else torch.randn(7, 40), torch.randn(7, 12)
    grads = []
    for layer in (ours, theirs):
        inputs = data.clone().requires_grad_()
        outputs = layer(inputs)
        assert outputs.shape == (7, 12)
        (outputs * wanted).sum().backward()
        grads.append((outputs, inputs.grad, layer.weight.grad, layer.bias.grad))
    for mine, its in zip(*grads, strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-5, atol=1e-5)


def test_it_is_the_convolution_that_is_trained() -> None:
    ours, _ = pair()
    assert "_Product" in type(ours(torch.randn(2, 40)).grad_fn).__name__


@pytest.mark.parametrize("how", ["in use", "in bfloat16", "in float64"])
def test_elsewhere_it_is_torchs_own(how: str) -> None:
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
