"""Test the exported model file: the network's logits, its layers' names, no local paths."""

import errno
import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from onnx import numpy_helper
from sample_networks import as_exported, folded, sample_network
from tiny import one_thread as one_thread  # a fixture of every test here
from tiny import tiny_recipe, tiny_split
from torch import nn

from cnn_mnist.data.load import load
from cnn_mnist.errors import ExportError, ModelError
from cnn_mnist.evaluation.metrics import evaluate
from cnn_mnist.export import onnx as exporter
from cnn_mnist.export.graph import onnx_layers
from cnn_mnist.export.onnx import export_onnx
from cnn_mnist.export.parity import compare, require_parity
from cnn_mnist.export.temperature import fold_temperature
from cnn_mnist.inference.model import Model
from cnn_mnist.networks import NETWORKS
from cnn_mnist.networks.build import build
from cnn_mnist.networks.classify import classify
from cnn_mnist.networks.custom_layers import GlobalPool
from cnn_mnist.networks.table import describe
from cnn_mnist.recipe import named
from cnn_mnist.training.trainer import Trainer

METADATA = {"recipe": {"name": "tiny"}, "dataset": "tiny", "global_step": 30, "accuracy": 0.5}

Exported = tuple[nn.Module, Path]


@pytest.fixture(scope="module", params=NETWORKS.names())
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A network and its model file."""
    model = sample_network(request.param)
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    result = export_onnx(model, path, tiny_split(20).images, METADATA)
    assert result.pop("max_abs_diff") <= 1e-4
    assert result.pop("tolerance") == 1e-4
    assert result == {"path": str(path), "argmax_equal": True, "changed": 0, "n": 20}
    return model, path


@pytest.mark.parametrize("count", [1, 7, 300])
def test_the_file_gives_what_the_network_gives_at_any_batch_size(
    count: int, exported: Exported
) -> None:
    model, path = exported
    images = tiny_split(count, seed=count).images
    logits, probabilities = Model(path).predict(images)
    expected = classify(model, images)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)
    assert (logits.argmax(axis=1) == expected.argmax(axis=1)).all()
    softmax = torch.from_numpy(expected).softmax(dim=1).numpy()
    np.testing.assert_allclose(probabilities, softmax, atol=1e-5)


def test_the_network_stays_as_it_is(exported: Exported) -> None:
    model, _ = exported
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_the_file_is_valid_and_has_the_documented_inputs_and_outputs(exported: Exported) -> None:
    proto = onnx.load(exported[1])
    onnx.checker.check_model(proto, full_check=True)
    (images,), outputs = proto.graph.input, proto.graph.output
    assert [images.name, *(output.name for output in outputs)] == [
        "images",
        "logits",
        "probabilities",
    ]
    for value, sizes in ((images, (1, 28, 28)), *((output, (10,)) for output in outputs)):
        tensor = value.type.tensor_type
        assert tensor.elem_type == onnx.TensorProto.FLOAT
        assert tensor.shape.dim[0].dim_param  # any batch size
        assert tuple(size.dim_value for size in tensor.shape.dim[1:]) == sizes


def test_the_metadata_is_kept_as_text_and_json(exported: Exported) -> None:
    kept = Model(exported[1]).metadata
    assert json.loads(kept["recipe"]) == {"name": "tiny"}
    assert {key: kept[key] for key in METADATA if key != "recipe"} == {
        "dataset": "tiny",
        "global_step": "30",
        "accuracy": "0.5",
    }


def test_nodes_and_weights_have_the_names_of_the_layers(exported: Exported) -> None:
    model, path = exported
    graph = onnx.load(path).graph
    gone = {*folded(model).values(), "dropout"}
    known = [name for name, _ in model.named_children() if name not in gone]
    nodes = [node.name for node in graph.node]
    assert [name for name in nodes if name in known] == known
    pools = [name for name, layer in model.named_children() if isinstance(layer, GlobalPool)]
    parts = {f"{name}_{part}" for name in pools for part in (2, 3)}  # three nodes are one layer
    assert set(nodes) - set(known) == {"probabilities"} | parts
    weights = {value.name for value in graph.initializer if value.data_type == 1}
    trained = {name for name, _ in model.named_parameters()}
    statistics = {name for name, _ in model.named_buffers()}
    biases = {f"{name}.bias" for name in folded(model)}
    assert weights <= trained | statistics | biases
    assert {name.rpartition(".")[0] for name in trained - weights} <= set(folded(model).values())


def test_the_file_holds_no_local_path(exported: Exported) -> None:
    content = exported[1].read_bytes()
    places = Path(exporter.__file__).parent, Path(torch.__file__).parent, Path.home(), Path.cwd()
    for text in (*map(str, places), "/home", "/root", "/usr", ".py", "site-packages", "\\Users"):
        assert text.encode() not in content


def test_the_table_of_the_file_is_the_table_of_the_network(exported: Exported) -> None:
    model, path = exported
    mine, theirs = onnx_layers(path), as_exported(model)
    for key in ("parameters", "flops"):
        assert describe(mine)[key] == describe(theirs)[key]
    rows = {layer.name: (layer.output, layer.parameters, layer.flops) for layer in theirs}
    for layer in mine:
        if layer.kind not in ("Softmax", "ReduceMax", "ReduceMean"):  # a `GlobalPool`'s parts
            name = layer.name.partition("_")[0]
            assert (layer.output, layer.parameters, layer.flops) == rows[name]


def test_the_table_of_a_file_that_is_not_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not a model file"):
        onnx_layers(tmp_path / "model.onnx")
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="is not an ONNX model"):
        onnx_layers(tmp_path / "model.onnx")


# --- calibration


@pytest.mark.parametrize("network", NETWORKS.names())
def test_a_folded_temperature_divides_the_logits(network: str) -> None:
    model, images = sample_network(network), tiny_split(7).images
    expected = classify(model, images) / 2
    folded_logits = classify(fold_temperature(model, 2.0), images)
    np.testing.assert_allclose(folded_logits, expected, rtol=0, atol=1e-5)


class TwiceTheSameLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(28 * 28, 10), nn.Linear(10, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(self.last(self.first(images.flatten(1))).tanh())


@pytest.mark.parametrize(
    "model",
    [nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10), nn.Tanh()), TwiceTheSameLayer()],
)
def test_the_output_is_divided_where_the_last_weights_cannot_be(
    model: nn.Module, tmp_path: Path
) -> None:
    images = tiny_split(7).images
    before = classify(model, images)
    scaled = fold_temperature(model, 2.0)
    np.testing.assert_allclose(classify(scaled, images), before / 2, rtol=1e-6)
    export_onnx(scaled, tmp_path / "model.onnx", images, {})
    np.testing.assert_allclose(
        Model(tmp_path / "model.onnx").classify(images), before / 2, rtol=0, atol=1e-5
    )
    np.testing.assert_array_equal(classify(model, images), before)


def test_large_logits_may_differ_by_their_rounding(tmp_path: Path) -> None:
    images, logits = tiny_split(3).images, np.zeros((3, 10), np.float32)
    logits[:, 1] = 5_000
    for difference, is_refused in ((0.04, False), (0.06, True)):
        close = logits + np.float32(difference)
        result = compare(lambda _: logits, lambda _, close=close: close, images)
        assert result["tolerance"] == pytest.approx(0.05)
        with pytest.raises(ExportError) if is_refused else nullcontext():
            require_parity(tmp_path, result)


# --- exports that fail


def slightly_changed(bias: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return bias + np.float32(2e-4)  # of all classes: the argmax stays


def not_a_number(bias: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.where(np.arange(10) == 0, np.float32(np.nan), bias)


def other_class(bias: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.where(np.arange(10) == 1, np.float32(0.5 + 1e-6), bias)


@pytest.fixture(scope="module")
def undecided(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A network that gives every class the same logit, and its model file."""
    model = build(tiny_recipe(), 10)
    for parameter in model.parameters():
        nn.init.constant_(parameter, 0.5 if parameter.ndim == 1 else 0)
    path = tmp_path_factory.mktemp("undecided") / "model.onnx"
    export_onnx(model, path, tiny_split(3).images, {})
    return model, path


@pytest.mark.parametrize("damage", [slightly_changed, not_a_number, other_class])
def test_a_file_that_differs_from_its_source_does_not_replace_the_earlier_one(
    damage: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]],
    undecided: Exported,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, true_file = undecided
    proto = onnx.load(true_file)
    (bias,) = (value for value in proto.graph.initializer if value.name == "logits.bias")
    bias.CopyFrom(numpy_helper.from_array(damage(numpy_helper.to_array(bias)), "logits.bias"))
    monkeypatch.setattr(exporter, "onnx_graph", lambda model: proto)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"the earlier one")
    with pytest.raises(ExportError, match=r"model\.onnx was not written: .* differs"):
        export_onnx(model, path, tiny_split(300).images, {})
    assert path.read_bytes() == b"the earlier one"
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_a_full_disk_keeps_the_earlier_file(
    undecided: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, content: bytes) -> None:
        with path.open("wb") as stream:
            stream.write(content[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    model, true_file = undecided
    path = tmp_path / "model.onnx"
    path.write_bytes(b"the earlier one")
    monkeypatch.setattr(exporter, "onnx_graph", lambda model: onnx.load(true_file))
    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(ExportError, match=r"model\.onnx cannot be written: No space left"):
        export_onnx(model, path, tiny_split(3).images, {})
    assert path.read_bytes() == b"the earlier one"
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


# --- MNIST


@pytest.mark.mnist
def test_a_trained_network_and_its_file_agree_on_all_of_mnists_test_images(
    mnist_dir: Path, tmp_path: Path
) -> None:
    dataset = load("mnist", mnist_dir)
    recipe = named("standard", batch_size=50, steps=60)
    trainer = Trainer(recipe, dataset.train, dataset.classes, seed=0, device="cpu")
    while trainer.step < recipe.steps:
        trainer.advance()
    parts = []

    def classify_and_keep(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        parts.append(trainer.classify(images))
        return parts[-1]

    metrics = evaluate(classify_and_keep, dataset.test)
    assert metrics["n"] == np.sum(metrics["confusion"]) == 10_000
    assert metrics["accuracy"] > 0.85

    export_onnx(trainer.model, tmp_path / "model.onnx", dataset.test.images[:100], {})
    logits = Model(tmp_path / "model.onnx").classify(dataset.test.images)
    expected = np.concatenate(parts)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)
    assert (logits.argmax(axis=1) == expected.argmax(axis=1)).sum() == 10_000
