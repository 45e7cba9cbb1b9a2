"""Test the exports in 8 bits: of the weights alone, and of all arithmetic."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from sample_networks import as_exported, folded, sample_network
from tiny import one_thread as one_thread  # a fixture of every test here
from tiny import tiny_recipe, tiny_split
from torch import nn

from cnn_mnist.errors import ExportError
from cnn_mnist.export import int8
from cnn_mnist.export.graph import onnx_layers
from cnn_mnist.export.onnx import export_onnx
from cnn_mnist.inference.model import Model
from cnn_mnist.networks import NETWORKS
from cnn_mnist.networks.build import build
from cnn_mnist.networks.table import describe
from cnn_mnist.serve.layers import Layers

Exported = tuple[nn.Module, Path]


@pytest.fixture(scope="module", params=NETWORKS.names())
def packed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A network and its model file with 8-bit kernels."""
    model = sample_network(request.param)
    path = tmp_path_factory.mktemp("packed") / "model.onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(int8, "MAX_CHANGED", 1)  # its classes are close calls: it is untrained
        export_onnx(model, path, tiny_split(5).images, {}, weights="int8")
    return model, path


def test_8_bit_weights_quarter_the_file_and_hardly_change_the_probabilities(
    packed: Exported, tmp_path: Path
) -> None:
    model, path = packed
    export_onnx(model, tmp_path / "float32.onnx", tiny_split(5).images, {})
    assert path.stat().st_size < 0.3 * (tmp_path / "float32.onnx").stat().st_size + 4_000
    images = tiny_split(100).images
    _, expected = Model(tmp_path / "float32.onnx").predict(images)
    _, probabilities = Model(path).predict(images)
    np.testing.assert_allclose(probabilities, expected, atol=0.01)


def test_the_table_of_a_file_with_8_bit_weights_is_that_of_the_network(packed: Exported) -> None:
    model, path = packed
    onnx.checker.check_model(onnx.load(path), full_check=True)
    for key in ("parameters", "flops"):
        assert describe(onnx_layers(path))[key] == describe(as_exported(model))[key]


def test_each_8_bit_kernel_is_within_half_a_step_of_its_scale(packed: Exported) -> None:
    model, path = packed
    stored = {
        value.name: numpy_helper.to_array(value) for value in onnx.load(path).graph.initializer
    }
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1 and name.removesuffix(".weight") not in folded(model):
            kernel = parameter.detach().numpy()
            scale = stored[f"{name}_scale"]
            assert scale.shape == (len(kernel), *[1] * (kernel.ndim - 1))
            unpacked = stored[f"{name}_int8"] * scale
            assert (np.abs(unpacked - kernel) <= scale * 0.5001).all()


def test_an_8_bit_export_that_changes_classes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build(tiny_recipe(), 10, torch.Generator().manual_seed(5))
    monkeypatch.setattr(int8, "MAX_CHANGED", -1)
    with pytest.raises(ExportError, match=r"classifies 0 of 5 images differently: .* float32"):
        export_onnx(model, tmp_path / "m.onnx", tiny_split(5).images, {}, weights="int8")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("network", NETWORKS.names())
def test_8_bit_arithmetic_hardly_changes_the_probabilities(
    network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "MAX_CHANGED", 1)
    model = sample_network(network)
    files = {"exact": None, "rounded": tiny_split(64).images}
    probabilities, layers, kinds = [], [], []
    for name, scales in files.items():
        path = tmp_path / f"{name}.onnx"
        export_onnx(model, path, tiny_split(5).images, {"seed": 3}, scales=scales)
        onnx.checker.check_model(onnx.load(path), full_check=True)
        assert Model(path).metadata == {"seed": "3"}
        probabilities.append(Model(path).predict(tiny_split(64).images)[1])
        layers.append([(row.name, row.parameters, row.flops) for row in onnx_layers(path)])
        image = tiny_split(1).images[0] / np.float32(255)
        kinds.append([(seen.name, seen.kind) for seen in Layers(path).activities(image)])
    np.testing.assert_allclose(*probabilities, atol=0.05)
    assert layers[0] == layers[1]
    assert kinds[0] == kinds[1]
