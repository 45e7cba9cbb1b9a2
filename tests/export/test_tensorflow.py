"""Test TensorFlow import and export, as far as that needs no TensorFlow."""

import sys
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import pytest
import torch
from commands import invoke, refusal
from sample_networks import sample_network
from tiny import one_thread as one_thread  # a fixture of every test here
from tiny import tiny_split, trained
from torch import nn

from cnn_mnist.cli.export import export
from cnn_mnist.data.load import load
from cnn_mnist.errors import CheckpointError, ExportError, RunError
from cnn_mnist.evaluation.metrics import metrics
from cnn_mnist.export.tensorflow.checkpoint import find
from cnn_mnist.export.tensorflow.estimator import MNIST_SHA256, estimator_loss, start_run
from cnn_mnist.export.tensorflow.formats import FORMATS
from cnn_mnist.export.tensorflow.variables import names, tensors, variables
from cnn_mnist.networks import NETWORKS
from cnn_mnist.networks.build import build
from cnn_mnist.networks.classify import classify
from cnn_mnist.networks.custom_layers import Crop, GlobalPool
from cnn_mnist.recipe import named
from cnn_mnist.runs.checkpoint import Checkpoint, newest
from cnn_mnist.runs.identity import read_identity
from cnn_mnist.runs.run import Run

Array = npt.NDArray[np.float32]

TUTORIAL_VARIABLES = {
    "conv2d/kernel": (5, 5, 1, 32),
    "conv2d/bias": (32,),
    "conv2d_1/kernel": (5, 5, 32, 64),
    "conv2d_1/bias": (64,),
    "dense/kernel": (3136, 1024),
    "dense/bias": (1024,),
    "dense_1/kernel": (1024, 10),
    "dense_1/bias": (10,),
}
"""Names and shapes of the variables in the tutorial's checkpoint."""


# --- names, shapes and order of the weights


def test_the_reference_network_has_the_tutorials_variables() -> None:
    model = build(named("tutorial"), classes=10)
    assert {variable.name: variable.shape for variable in variables(model)} == TUTORIAL_VARIABLES


def forward(model: nn.Module, values: Array) -> Array:
    """Compute the logits of images `(N, 28, 28, 1)` by NumPy from TensorFlow's weights."""
    weights = tensors(model)
    for own, name in names(model).items():
        layer = model.get_submodule(own)
        own_weights = {
            key.removeprefix(f"{name}/"): value
            for key, value in weights.items()
            if key.startswith(f"{name}/")
        }
        match layer:
            case nn.Conv2d():
                kernel = own_weights["kernel"]
                padding = [(0, 0), *((size, size) for size in layer.padding), (0, 0)]
                windows = np.lib.stride_tricks.sliding_window_view(
                    np.pad(values, padding), kernel.shape[:2], axis=(1, 2)
                )
                values = np.einsum("nyxihw,hwio->nyxo", windows, kernel)
                values = values + own_weights.get("bias", 0)
            case nn.Linear():
                values = values @ own_weights["kernel"] + own_weights["bias"]
            case nn.BatchNorm1d() | nn.BatchNorm2d():
                scale = own_weights["gamma"] / np.sqrt(own_weights["moving_variance"] + layer.eps)
                values = (values - own_weights["moving_mean"]) * scale + own_weights["beta"]
            case nn.MaxPool2d() | nn.AvgPool2d():
                count, height, width, channels = values.shape
                values = values[:, : height // 2 * 2, : width // 2 * 2]
                values = values.reshape(count, height // 2, 2, width // 2, 2, channels)
                pool = np.max if isinstance(layer, nn.MaxPool2d) else np.mean
                values = pool(values, axis=(2, 4))
            case GlobalPool():
                values = np.hstack((values.max(axis=(1, 2)), values.mean(axis=(1, 2))))
            case nn.ReLU():
                values = np.maximum(values, 0)
            case Crop():
                inside = slice(layer.border, -layer.border)
                values = values[:, inside, inside]
            case nn.Flatten():
                values = values.reshape(len(values), -1)
            case _:
                assert isinstance(layer, nn.Dropout)
    return values


@pytest.mark.parametrize("network", NETWORKS.names())
def test_the_weights_in_tensorflows_order_give_the_same_logits_on_nhwc_images(network: str) -> None:
    model = sample_network(network)
    images = tiny_split(3).images
    logits = forward(model, images[..., np.newaxis].astype(np.float32) / np.float32(255))
    np.testing.assert_allclose(logits, classify(model, images), rtol=0, atol=1e-4)


@pytest.mark.parametrize("network", NETWORKS.names())
def test_converting_weights_to_tensorflow_and_back_keeps_every_bit(network: str) -> None:
    model = sample_network(network)
    there = tensors(model)
    for variable in variables(model):
        back = variable.to_torch(there[variable.name])
        assert torch.equal(torch.from_numpy(back), model.state_dict()[variable.key])


def test_every_weight_has_a_variable() -> None:
    for network in NETWORKS.names():
        model = sample_network(network)
        kept = {key for key in model.state_dict() if not key.endswith("num_batches_tracked")}
        assert {variable.key for variable in variables(model)} == kept


def test_a_layer_without_a_counterpart_is_refused_and_named() -> None:
    model = nn.Sequential()
    model.add_module("gate", nn.GELU())
    with pytest.raises(ExportError, match="layer gate is a GELU"):
        names(model)


class Functional(nn.Module):
    """A network whose layers are known, but which computes more than these."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, kernel_size=5)
        self.logits = nn.Linear(2 * 24 * 24, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.logits(self.conv(images).relu().flatten(1))
        return logits


def test_a_network_that_is_more_than_a_sequence_of_layers_is_refused() -> None:
    model = Functional().eval()
    with pytest.raises(ExportError, match="Functional is more than a sequence"):
        names(model)
    assert not model.conv.training


# --- finding a checkpoint


def checkpoint_files(folder: Path, state: str) -> Path:
    folder.mkdir()
    (folder / "checkpoint").write_text(state)
    (folder / "model.ckpt-7.index").touch()
    return folder / "model.ckpt-7"


@pytest.mark.parametrize("place", ["", "/home/somebody/model_dir/", "C:\\models\\"])
def test_a_folder_stands_for_its_newest_checkpoint_even_if_it_was_moved(
    place: str, tmp_path: Path
) -> None:
    state = f'model_checkpoint_path: "{place}model.ckpt-7"\n'
    prefix = checkpoint_files(tmp_path / "model_dir", state)
    assert find(tmp_path / "model_dir") == find(prefix) == prefix


def test_a_missing_or_damaged_checkpoint_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere\.index is missing"):
        find(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"holds no TensorFlow checkpoint: .*checkpoint: No"):
        find(tmp_path)
    checkpoint_files(tmp_path / "a", 'model_checkpoint_path: "model.ckpt-8"\n')
    with pytest.raises(CheckpointError, match=r"model\.ckpt-8\.index is missing"):
        find(tmp_path / "a")
    checkpoint_files(tmp_path / "b", "nothing\n")
    with pytest.raises(CheckpointError, match="checkpoint is damaged: it has no line"):
        find(tmp_path / "b")


# --- runs made of checkpoints


def imported_checkpoint(step: int = 20_000) -> Checkpoint:
    recipe = named("tutorial")
    return Checkpoint(
        step=step,
        seed=0,
        recipe=recipe,
        classes=10,
        weights={key: value.contiguous() for key, value in build(recipe, 10).state_dict().items()},
        optimizer={},
        train_seconds=0.0,
    )


def test_a_checkpoint_becomes_a_run_of_the_tutorials_recipe_on_mnist(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    start_run(run, imported_checkpoint())
    identity, checkpoint = read_identity(run), newest(run.checkpoints)
    assert identity is not None
    assert checkpoint is not None
    assert (identity.recipe, identity.dataset) == (named("tutorial"), "mnist")
    assert (checkpoint.step, checkpoint.recipe) == (20_000, named("tutorial"))


@pytest.mark.parametrize("remains", ["recipe.json", "checkpoints"])
def test_a_directory_with_a_run_is_refused_and_unchanged(remains: str, tmp_path: Path) -> None:
    trained(tmp_path)
    for other in {"recipe.json", "checkpoints", "metrics.jsonl"} - {remains}:
        (tmp_path / other).rename(tmp_path / f"{other}.away")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RunError, match="already holds a run"):
        start_run(Run(tmp_path), imported_checkpoint())
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.mnist
def test_the_hash_of_mnist_is_the_one_stored_in_imported_runs(mnist_dir: Path) -> None:
    assert load("mnist", mnist_dir).sha256 == MNIST_SHA256


def test_the_estimator_loss_weights_the_last_short_batch_like_the_others() -> None:
    labels = np.zeros(130, np.uint8)
    logits = np.zeros((130, 2), np.float32)
    logits[128:, 0] = 100  # without loss
    assert estimator_loss(logits, labels) == pytest.approx(np.log(2) / 2)
    assert metrics(logits, labels)["loss"] == pytest.approx(np.log(2) * 128 / 130)


# --- the command line


@pytest.fixture
def no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)


@pytest.mark.usefixtures("no_tensorflow")
def test_import_without_tensorflow_prints_how_to_install_it(tmp_path: Path) -> None:
    prefix = checkpoint_files(tmp_path / "model_dir", "")
    line = refusal("import", prefix, "--run-dir", tmp_path / "run")
    assert line.endswith(
        "needs tensorflow, which is not installed: pip install 'cnn-mnist[tensorflow]'"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("no_tensorflow")
@pytest.mark.parametrize("format_", ["keras", "savedmodel", "tflite", "checkpoint"])
def test_export_without_tensorflow_prints_how_to_install_it(format_: str, tmp_path: Path) -> None:
    arguments = ("--data", "digits", "--network", "softmax", "--steps", "1")
    assert invoke("train", *arguments, "--run-dir", tmp_path / "run").exit_code == 0
    line = refusal("export", tmp_path / "run", "--format", format_)
    assert line.endswith("pip install 'cnn-mnist[tensorflow]'")


def test_a_wrong_path_is_refused_before_tensorflow_is_imported(tmp_path: Path) -> None:
    assert "nowhere" in refusal("import", tmp_path / "nowhere", "--run-dir", tmp_path / "run")
    assert "run-dir" in refusal("import", tmp_path, exit_code=2)


def test_the_command_line_lists_every_format() -> None:
    (option,) = (parameter for parameter in export.params if parameter.name == "format_")
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == ["onnx", *FORMATS]


def test_8_bit_weights_need_the_onnx_format(tmp_path: Path) -> None:
    line = refusal("export", tmp_path, "--format", "keras", "--weights", "int8", exit_code=2)
    assert "--weights int8 works with --format onnx only" in line
