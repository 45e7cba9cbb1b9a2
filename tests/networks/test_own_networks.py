"""Networks of the user's own: trained, killed and resumed, exported, served, shown, refused.

The three are as a user writes them: LeNet-5 (examples/own_network.py), the convnet of Keras's MNIST
example and timm's resnet18 (tests/user_networks.py).
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
import torch.nn.functional as F
from commands import refusal, result_of
from serving import drawn, serving
from tiny import Watch, hashes, tiny_dataset, tiny_recipe, tiny_split, trained
from tiny import one_thread as one_thread  # a fixture of every test here
from torch import nn

from cnn_mnist.classifier import Classifier
from cnn_mnist.data.load import load
from cnn_mnist.errors import ExportError, ModelError, RecipeError, RunError
from cnn_mnist.export import int8
from cnn_mnist.export.from_onnx import load_network
from cnn_mnist.export.graph import onnx_layers
from cnn_mnist.export.onnx import export_onnx
from cnn_mnist.networks import NETWORKS
from cnn_mnist.networks.build import build
from cnn_mnist.networks.classify import classify
from cnn_mnist.networks.table import describe
from cnn_mnist.networks.trace import layer_table, trace
from cnn_mnist.recipe import named
from cnn_mnist.runs.identity import read_identity
from cnn_mnist.runs.run import Run
from cnn_mnist.training.trainer import Trainer

TESTS = Path(__file__).parents[1]
LENET = f"{TESTS.parent}/examples/own_network.py:LeNet5"
KERAS = f"{TESTS}/user_networks.py:KerasConvnet"
RESNET = f"{TESTS}/user_networks.py:resnet18"
DATA = tiny_dataset()


def needs_timm() -> None:
    """Skip where timm cannot be imported: a torch without CUDA does not take PyPI's torchvision."""
    try:
        import timm  # noqa: F401
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"timm cannot be imported here ({error}): pip install timm torchvision")


@pytest.fixture(params=[LENET, KERAS, RESNET], ids=["lenet5", "keras", "resnet18"])
def given(request: pytest.FixtureRequest) -> str:
    """A network as a person names it."""
    if request.param == RESNET:
        needs_timm()
    return str(request.param)


@pytest.fixture(autouse=True)
def own_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget the networks that a test has named."""
    monkeypatch.setattr(NETWORKS, "_parts", dict(NETWORKS._parts))
    monkeypatch.setattr(sys, "path", list(sys.path))
    return iter([None])


CHANGES = {"batch_size": 8, "steps": 6, "checkpoint_every": 2, "learning_rate": 0.01}


# --- the three networks


def test_a_killed_run_ends_with_the_same_weights(given: str, tmp_path: Path) -> None:
    changes = CHANGES | {"network": given, "augmentation": "affine", "dropout": 0.0}
    arguments = [tmp_path / "killed", "5", json.dumps(changes)]
    child = subprocess.run([sys.executable, tiny.__file__, *arguments], check=False)
    assert child.returncode == -signal.SIGKILL
    name = NETWORKS.resolve(given)
    watch = Watch()
    trained(tmp_path / "killed", hooks=(watch,), **changes | {"network": name})
    assert watch.steps == [5, 6]
    trained(tmp_path / "alone", **changes | {"network": name})
    assert hashes(tmp_path / "killed", 6) == hashes(tmp_path / "alone", 6)


def test_its_file_is_served_and_shown_layer_by_layer(given: str, tmp_path: Path) -> None:
    recipe = tiny_recipe(**CHANGES)
    classifier = Classifier(tmp_path, recipe, device="cpu", network=given).train(DATA)
    classifier.finish(DATA)
    path = tmp_path / "model.onnx"
    with serving("--model", path) as server:
        status, _, body = server.ask("POST", "/layers", drawn("1"))
        assert status == 200, body
        layers = json.loads(body)["layers"]
    names = [layer["name"] for layer in layers]
    model = classifier.network()
    leaves = [
        name for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    assert [name for name in names if name in leaves] == leaves
    assert names[-1] == "probabilities"
    assert all(len(layer["shape"]) in (1, 3) for layer in layers)
    for key in ("parameters", "flops"):
        file, network = describe(onnx_layers(path))[key], describe(layer_table(model))[key]
        assert file == pytest.approx(network, rel=1e-3)  # normalisations are folded in the file
    assert result_of("predict", "--model", tmp_path, _picture(tmp_path))["images"][0]["digits"]


def _picture(folder: Path) -> Path:
    path = folder / "one.png"
    path.write_bytes(drawn("1"))
    return path


@pytest.mark.parametrize("variant", ["weights", "arithmetic", "calibrated"])
def test_each_variant_works_or_is_refused_in_one_line(
    variant: str, given: str, tmp_path: Path
) -> None:
    classifier = Classifier(tmp_path, tiny_recipe(**CHANGES), device="cpu", network=given)
    classifier.train(DATA)
    images = DATA.test.images
    options: dict[str, Any] = {
        "weights": {"weights": "int8"},
        "arithmetic": {"scales": images},
        "calibrated": {"calibration": DATA.validation},
    }[variant]
    result, said = None, ""
    try:
        result = classifier.export(images, **options)
    except ExportError as error:
        said = str(error)
    if result is None:
        assert variant != "calibrated"
        assert "in 8 bits the network classifies" in said
    else:
        assert result["n"] == len(images)
        assert result["changed"] <= int8.MAX_CHANGED * len(images)


def test_its_table_has_each_parameter_once(given: str) -> None:
    model = build(tiny_recipe(network=NETWORKS.resolve(given)), 10)
    table = describe(layer_table(model))
    assert table["parameters"] == sum(value.numel() for value in model.parameters())
    assert table["flops"] == {LENET: 833_040, KERAS: 4_881_920, RESNET: 66_021_888}[given]


@pytest.mark.mnist
def test_its_file_agrees_on_all_of_mnists_test_images(
    given: str, mnist_dir: Path, tmp_path: Path
) -> None:
    data = load("mnist", mnist_dir)
    recipe = named("standard", batch_size=32, steps=30, network=NETWORKS.resolve(given))
    trainer = Trainer(recipe, data.train, data.classes, seed=0, device="cpu")
    while trainer.step < recipe.steps:
        trainer.advance()
    result = export_onnx(trainer.model, tmp_path / "model.onnx", data.test.images, {})
    assert (result["n"], result["changed"]) == (10_000, 0)


# --- what users write


class Everything(nn.Module):
    """Has a parameter of its own, tied weights, an LSTM, attention, dropout of its own."""

    def __init__(self, classes: int, *, dropout: float) -> None:
        super().__init__()
        self.relu = nn.Parameter(torch.rand(28))  # has the name of a node in the exported graph
        self.rows = nn.LazyLinear(16)
        self.attention = nn.TransformerEncoderLayer(16, 2, 16, dropout=0.3, batch_first=True)
        self.norm = nn.BatchNorm1d(28, momentum=None)
        self.lstm = nn.LSTM(16, 16, batch_first=True)
        self.frozen = nn.BatchNorm1d(16).eval()
        self.one, self.other = nn.Linear(16, classes), nn.Linear(16, classes)
        self.other.weight = self.one.weight

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rows = F.relu(images[:, 0] * self.relu)
        values, _ = self.lstm(self.norm(self.attention(self.rows(rows))))
        last = F.dropout(self.frozen(values[:, -1]), 0.2, self.training)
        return self.one(last) + self.other(last.flip(1))


def test_whatever_a_network_does_resumes_exactly(tmp_path: Path) -> None:
    changes = CHANGES | {"network": NETWORKS.add(Everything), "dropout": 0.0}
    trained(tmp_path / "resumed", **changes | {"steps": 3}, augmentation="affine")
    trained(tmp_path / "resumed", **changes, augmentation="affine")
    trained(tmp_path / "alone", **changes, augmentation="affine")
    assert hashes(tmp_path / "resumed", 6) == hashes(tmp_path / "alone", 6)


def test_whatever_a_network_does_is_counted_traced_and_exported(tmp_path: Path) -> None:
    recipe = tiny_recipe(**CHANGES)
    classifier = Classifier(tmp_path, recipe, device="cpu", network=Everything).train(DATA)
    model = classifier.network()
    table = {layer.name: layer for layer in layer_table(model)}
    assert describe(list(table.values()))["parameters"] == sum(
        value.numel() for value in model.parameters()
    )
    assert table["(network)"].parameters == 28
    assert table["lstm"].flops == 2 * 28 * (4 * 16) * (16 + 16)
    assert table["other"].parameters == 10  # its weights are those of `one`
    assert all(
        isinstance(output, torch.Tensor) for *_, output in trace(model, torch.zeros(1, 1, 28, 28))
    )
    result = classifier.export(DATA.test.images, calibration=DATA.validation)
    assert result["changed"] == 0


def test_layers_that_are_frozen_stay_frozen_through_a_validation_pass(tmp_path: Path) -> None:
    changes = CHANGES | {"network": NETWORKS.add(Everything), "augmentation": "affine"}
    trainer = trained(tmp_path, **changes)
    assert trainer.model.training
    assert not trainer.model.get_submodule("frozen").training
    assert trainer.model.get_submodule("frozen").num_batches_tracked == 0


def test_first_weights_are_the_networks_own_and_come_from_the_seed() -> None:
    name = NETWORKS.add(Everything)
    recipe = tiny_recipe(network=name)
    before = torch.get_rng_state()
    models = [build(recipe, 10, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6)]
    assert torch.equal(before, torch.get_rng_state())
    one, same, other = (model.get_parameter("rows.weight") for model in models)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        expected = Everything(10, dropout=0.4)
    assert torch.equal(models[0].get_parameter("relu"), expected.relu)


# --- what is refused, before anything is written


def no_dropout(classes: int) -> nn.Module:
    return nn.Linear(784, classes)


def fails(classes: int, *, dropout: float) -> nn.Module:
    raise ValueError("no such file\nweights.pt")


def no_module(classes: int, *, dropout: float) -> Any:
    return nn.Linear


def takes_rows(classes: int, *, dropout: float) -> nn.Module:
    return nn.Linear(784, classes)


def ten_classes(classes: int, *, dropout: float) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 7))


def two_outputs(classes: int, *, dropout: float) -> nn.Module:
    class Two(nn.LSTM):
        def forward(self, images: torch.Tensor) -> Any:
            return super().forward(images[:, 0])

    return Two(28, classes)


def no_parameters(classes: int, *, dropout: float) -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d((1, classes)), nn.Flatten())


class HardBatch(nn.Sequential):
    def __init__(self, classes: int, *, dropout: float) -> None:
        super().__init__(nn.Linear(784, classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images.view(2, 784))


class ExtraState(nn.Sequential):
    def __init__(self, classes: int, *, dropout: float) -> None:
        super().__init__(nn.Flatten(), nn.Linear(784, classes))

    def get_extra_state(self) -> dict[str, int]:
        return {"calls": 1}


class Unreached(nn.Sequential):
    def __init__(self, classes: int, *, dropout: float) -> None:
        super().__init__(nn.Flatten(), nn.Linear(784, classes))
        self[1].register_module("lazy", nn.LazyLinear(3))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            no_dropout,
            r"cannot be made: TypeError: .*unexpected keyword argument 'dropout': expected",
        ),
        (fails, r"cannot be made: ValueError: no such file: expected a function \(classes, \*, dr"),
        (no_module, r"is a type: expected a function .* that returns a torch\.nn\.Module"),
        (takes_rows, r"fails on images \(2, 1, 28, 28\): RuntimeError: "),
        (ten_classes, r"gives \(2, 7\) float32 for images .*: expected \(2, 10\) float32"),
        (two_outputs, r"gives a tuple: expected"),
        (no_parameters, "has no parameters to train"),
        (HardBatch, r"cannot be trained: RuntimeError: shape '\[2, 784\]' is invalid"),
        (ExtraState, r"keeps _extra_state as dict, which a checkpoint cannot hold"),
        (Unreached, r"1\.lazy\.weight has no shape"),
    ],
)
def test_a_network_that_cannot_be_used_is_one_line_and_nothing_is_written(
    network: Callable[..., nn.Module], message: str, tmp_path: Path
) -> None:
    name = NETWORKS.add(network)
    with pytest.raises(RecipeError, match=f"network {name}.*{message}") as caught:
        trained(tmp_path / "run", network=name)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_network_with_an_unused_parameter_is_refused_for_several_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unused(nn.Sequential):
        def __init__(self, classes: int, *, dropout: float) -> None:
            super().__init__(nn.Flatten(), nn.Linear(784, classes))
            self.register_parameter("spare", nn.Parameter(torch.zeros(3)))

    name = NETWORKS.add(Unused)
    assert trained(tmp_path / "run", network=name).step == 30
    for key, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    with pytest.raises(RecipeError, match=r"does not use its parameter spare, .* one worker"):
        trained(tmp_path / "two", network=name)


def test_a_network_that_fails_on_a_batch_of_training_is_one_line(tmp_path: Path) -> None:
    class Fails(nn.Linear):
        def __init__(self, classes: int, *, dropout: float) -> None:
            super().__init__(784, classes)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if len(images) > 3:
                raise KeyError("four")
            return super().forward(images.flatten(1))

    with pytest.raises(RecipeError, match="Fails fails in training: KeyError: 'four'") as one:
        trained(tmp_path, network=NETWORKS.add(Fails))
    assert "\n" not in str(one.value)


def test_a_network_that_torch_cannot_export_is_one_line(tmp_path: Path) -> None:
    class Branches(nn.Linear):
        def __init__(self, classes: int, *, dropout: float) -> None:
            super().__init__(784, classes)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            images = images.flatten(1)
            return super().forward(images if images.sum() > 0 else -images)

    classifier = Classifier(tmp_path, tiny_recipe(**CHANGES), device="cpu", network=Branches)
    with pytest.raises(
        ExportError, match="the network Branches cannot be exported as ONNX: "
    ) as one:
        classifier.train(DATA).finish(DATA)
    assert "\n" not in str(one.value)


# --- a run is opened


@pytest.fixture
def lenet_run(tmp_path: Path) -> Path:
    classifier = Classifier(tmp_path / "run", tiny_recipe(**CHANGES), device="cpu", network=LENET)
    classifier.train(DATA).finish(DATA)
    return tmp_path / "run"


def test_a_run_is_opened_with_its_network_only_when_a_person_names_it(
    lenet_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = read_identity(Run(lenet_run))
    assert identity
    assert identity.recipe.network == "own_network:LeNet5"
    assert not Classifier(lenet_run, network=LENET).network().training
    monkeypatch.setattr(NETWORKS, "_parts", {})
    monkeypatch.delitem(sys.modules, "own_network")
    line = r"the network is own_network:LeNet5, which is your own: name it with --network own_net"
    with pytest.raises(RecipeError, match=line):
        Classifier(lenet_run)
    for command in ("evaluate", "report", "export", "model", ("train", "--run-dir")):
        verb = command if isinstance(command, tuple) else (command,)
        options = () if command == "model" else ("--data", "digits")
        assert line[:40] in refusal(*verb, lenet_run, *options)
    assert "own_network" not in sys.modules


def test_a_run_with_another_network_than_the_named_one_is_refused(lenet_run: Path) -> None:
    with pytest.raises(RunError, match="is own_network:LeNet5, not user_networks:KerasConvnet"):
        Classifier(lenet_run, network=KERAS)
    for verb in ("evaluate", "report", "export", "model"):
        options = () if verb == "model" else ("--data", "digits")
        assert "not user_networks:Ker" in refusal(verb, lenet_run, *options, "--network", KERAS)


def test_the_command_line_opens_a_run_with_its_network(tmp_path: Path) -> None:
    run = tmp_path / "run"
    flags = ("--network", LENET, "--data", "digits")
    steps = ("--batch-size", 8, "--set", "checkpoint_every=2")
    assert result_of("train", "--run-dir", run, *flags, *steps, "--steps", 2)["global_step"] == 2
    assert result_of("train", "--run-dir", run, *flags, "--steps", 4)["global_step"] == 4
    assert result_of("evaluate", run, *flags)["global_step"] == 4
    assert Path(result_of("report", run, *flags)["path"]).is_file()
    assert result_of("export", run, *flags, "--calibrated")["argmax_equal"]
    assert result_of("model", run, "--network", LENET)["parameters"] == 61_706
    compared = result_of("compare", run, run / "model.onnx", "--network", LENET)
    assert compared["difference"] == 0
    assert result_of("model", LENET) == result_of("model", "--network", LENET)
    file = run / "model.onnx"
    assert "a model file holds its network" in refusal("evaluate", file, *flags, exit_code=2)
    assert "cannot be imported" in refusal("model", run, "--network", "no_such:f")


def test_its_model_file_is_not_turned_back_into_torch(lenet_run: Path) -> None:
    with pytest.raises(ModelError, match=r"which is your own .*: give its run directory"):
        load_network(lenet_run / "model.onnx")


def test_a_network_without_a_name_is_refused(tmp_path: Path) -> None:
    instance = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    for network in (instance, lambda classes, *, dropout: instance):
        with pytest.raises(RecipeError, match="expected a function or class with a name"):
            Classifier(tmp_path, network=network)


def test_two_workers_train_a_network_of_a_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cnn_mnist", "train", "--network", LENET, "--data", "digits"]
    done = subprocess.run(
        [*command, "--workers", "2", "--steps", "3", "--run-dir", tmp_path / "run"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run/checkpoints/step-00000003").is_dir()


def test_logits_of_a_network_are_those_of_its_own_forward() -> None:
    model = build(tiny_recipe(network=NETWORKS.resolve(LENET)), 10)
    images = tiny_split(3).images
    with torch.no_grad():
        expected = model.eval()(torch.from_numpy(images / np.float32(255))[:, None])
    np.testing.assert_array_equal(classify(model, images), expected.numpy())
