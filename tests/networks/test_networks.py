"""The networks: their layers, their first weights, their order of pooling and ReLU."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny import one_thread as one_thread  # a fixture of every test here
from tiny import tiny_recipe, tiny_split
from torch import nn

from cnn_mnist.export.temperature import fold_temperature
from cnn_mnist.networks import NETWORKS
from cnn_mnist.networks.build import build
from cnn_mnist.networks.classify import classify
from cnn_mnist.networks.table import Layer, describe
from cnn_mnist.networks.trace import layer_table


def network(name: str, classes: int = 10, seed: int = 0) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    return build(tiny_recipe(network=name, dropout=0.4), classes, generator)


def test_the_layers_of_the_reference_network_are_the_tutorials() -> None:
    table = layer_table(network("cnn"))
    assert table == [
        Layer("conv1", "Conv2d", (32, 28, 28), 5 * 5 * 32 + 32, 2 * 25 * 32 * 28 * 28),
        Layer("pool1", "MaxPool2d", (32, 14, 14), 0, 0),
        Layer("relu1", "ReLU", (32, 14, 14), 0, 0),
        Layer("conv2", "Conv2d", (64, 14, 14), 5 * 5 * 32 * 64 + 64, 2 * 25 * 32 * 64 * 14 * 14),
        Layer("pool2", "MaxPool2d", (64, 7, 7), 0, 0),
        Layer("relu2", "ReLU", (64, 7, 7), 0, 0),
        Layer("flatten", "Flatten", (3136,), 0, 0),
        Layer("dense", "Linear", (1024,), 3136 * 1024 + 1024, 2 * 3136 * 1024),
        Layer("relu3", "ReLU", (1024,), 0, 0),
        Layer("dropout", "Dropout", (1024,), 0, 0),
        Layer("logits", "Linear", (10,), 1024 * 10 + 10, 2 * 1024 * 10),
    ]
    assert describe(table)["parameters"] == 3_274_634


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("cnn", 3_274_634),
        ("cnn-bn", 3_276_874),
        ("deep", 621_866),
        ("softmax", 7_850),
        ("small", 139_514),
    ],
)
def test_a_network_has_the_documented_number_of_parameters(name: str, parameters: int) -> None:
    model = network(name)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert describe(layer_table(model))["parameters"] == parameters


@pytest.mark.parametrize("name", NETWORKS.names())
@pytest.mark.parametrize("classes", [2, 26])
def test_a_network_gives_a_logit_for_each_class(name: str, classes: int) -> None:
    images = np.zeros((3, 28, 28), np.uint8)
    assert classify(network(name, classes), images).shape == (3, classes)


@pytest.mark.parametrize("name", NETWORKS.names())
def test_kernels_start_glorot_uniform_and_biases_at_zero(name: str) -> None:
    for layer in network(name):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            area = layer.weight[0, 0].numel()  # 1 in a dense layer
            fan_in, fan_out = layer.weight.shape[1] * area, layer.weight.shape[0] * area
            bound = (6 / (fan_in + fan_out)) ** 0.5
            # uniform: up to the bound and not beyond, with its deviation
            assert 0.98 * bound < layer.weight.abs().max() <= bound
            assert float(layer.weight.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.06)
            assert layer.bias is None or not layer.bias.any()


def test_first_weights_come_from_the_generator_alone() -> None:
    torch.manual_seed(1)
    one = network("small")
    torch.manual_seed(2)
    same, other = network("small"), network("small", seed=1)
    assert torch.equal(one.conv1.weight, same.conv1.weight)
    assert not torch.equal(one.conv1.weight, other.conv1.weight)


def test_pooling_before_relu_gives_the_values_and_gradients_of_relu_before_pooling() -> None:
    model = network("cnn").eval()
    images = torch.from_numpy(tiny_split(4).images / np.float32(255))[:, None]

    def as_in_the_lesson() -> torch.Tensor:
        values = F.max_pool2d(F.relu(model.conv1(images)), 2)
        values = F.max_pool2d(F.relu(model.conv2(values)), 2)
        return model.logits(F.relu(model.dense(values.flatten(1))))

    results = []
    for forward in (lambda: model(images), as_in_the_lesson):
        model.zero_grad()
        logits = forward()
        logits.square().sum().backward()
        results.append((logits.detach(), [each.grad.clone() for each in model.parameters()]))
    torch.testing.assert_close(results[0], results[1], rtol=1e-4, atol=1e-5)


def test_classify_scales_pixels_and_drops_nothing_and_leaves_the_mode() -> None:
    model = network("small").train()
    images = tiny_split(5).images
    logits = classify(model, images)
    assert model.training
    assert logits.dtype == np.float32
    model.eval()
    with torch.no_grad():
        expected = model(torch.from_numpy(images / np.float32(255))[:, None]).numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-5)


@pytest.mark.parametrize("view", ["read-only", "backwards", "every other"])
def test_any_view_of_the_images_is_classified(view: str) -> None:
    model, images = network("softmax"), tiny_split(6).images
    order = {"read-only": slice(None), "backwards": slice(None, None, -1)}.get(
        view, slice(None, None, 2)
    )
    given = images[order]
    given.setflags(write=view != "read-only")
    np.testing.assert_allclose(
        classify(model, given), classify(model, images.copy())[order], rtol=1e-5
    )


def test_a_temperature_divides_the_logits_of_a_copy() -> None:
    model = network("small")
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    before = classify(model, images)
    scaled = fold_temperature(model, 2.5)
    np.testing.assert_allclose(classify(scaled, images), before / 2.5, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(classify(model, images), before)
