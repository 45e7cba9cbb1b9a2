"""Test import and export with TensorFlow itself, and with the output of the tutorial's program.

Each export is opened by its runtime as a user would open it, without this package.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from commands import refusal, result_of
from PIL import Image
from sample_networks import sample_network
from test_tensorflow import TUTORIAL_VARIABLES
from tiny import one_thread as one_thread  # a fixture of every test here
from tiny import tiny_split, trained
from torch import nn

from cnn_mnist.classifier import Classifier
from cnn_mnist.data.catalog import MNIST, SOURCES
from cnn_mnist.data.dataset import Dataset, Split
from cnn_mnist.data.load import load
from cnn_mnist.errors import ExportError
from cnn_mnist.export import parity
from cnn_mnist.export.tensorflow.estimator import MNIST_SHA256, read_checkpoint
from cnn_mnist.export.tensorflow.formats import FORMATS, export_tensorflow
from cnn_mnist.export.tensorflow.library import quiet, tensorflow
from cnn_mnist.export.tensorflow.network import keras_network
from cnn_mnist.inference.model import Model
from cnn_mnist.networks import NETWORKS
from cnn_mnist.runs.checkpoint import newest
from cnn_mnist.runs.run import Run

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(
        find_spec("tensorflow") is None, reason="no TensorFlow here: scripts/test-tensorflow"
    ),
]

Array = npt.NDArray[np.float32]
DOCS = sorted((Path(__file__).parents[2] / "docs").glob("from-estimator*.md"))


@pytest.fixture(scope="module")
def model_dir(mnist_dir: Path) -> Path:
    """What the tutorial's own program wrote on TensorFlow 2.15."""
    folder = mnist_dir / "tutorial_checkpoint"
    if not folder.is_dir():
        pytest.skip("the tutorial's checkpoint is not in CNN_MNIST_DATA: tutorial_checkpoint/")
    return folder


@pytest.fixture(scope="module")
def test_split(mnist_dir: Path) -> Split:
    return load("mnist", mnist_dir).test


@pytest.fixture(scope="module")
def imported(
    model_dir: Path, mnist_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """The imported run of the tutorial, and the JSON result of `import`."""
    run_dir = tmp_path_factory.mktemp("tensorflow") / "run"
    return run_dir, result_of("import", model_dir, "--run-dir", run_dir, "--data-dir", mnist_dir)


# --- import


def test_the_import_scores_what_the_tutorials_evaluation_printed(
    imported: tuple[Path, dict[str, Any]], model_dir: Path, mnist_dir: Path
) -> None:
    run_dir, result = imported
    printed = json.loads((model_dir / "evaluation.json").read_text())
    assert result["global_step"] == printed["global_step"] == 20_000
    assert result["run_dir"] == str(run_dir)
    assert np.float32(result["accuracy"]) == np.float32(printed["accuracy"])
    assert result["estimator_loss"] == pytest.approx(printed["loss"], abs=1e-5)
    evaluated = result_of("evaluate", run_dir, "--data-dir", mnist_dir)
    assert {key: evaluated[key] for key in ("accuracy", "loss")} == {
        key: result[key] for key in ("accuracy", "loss")
    }


def test_the_imported_run_predicts_what_tensorflow_predicted_for_all_10_000_images(
    imported: tuple[Path, dict[str, Any]], model_dir: Path, test_split: Split
) -> None:
    _, probabilities = Model(imported[0] / "model.onnx", threads=1).predict(test_split.images)
    with np.load(model_dir / "predictions.npz") as predictions:
        assert (probabilities.argmax(axis=1) == predictions["classes"]).all()
        np.testing.assert_allclose(probabilities, predictions["probabilities"], rtol=0, atol=1e-5)
        loss = -np.log(predictions["probabilities"][np.arange(10_000), test_split.labels])
    assert imported[1]["loss"] == pytest.approx(loss.mean(dtype=np.float64), abs=1e-5)


def test_the_imported_run_keeps_its_loss_after_100_further_steps(
    imported: tuple[Path, dict[str, Any]], mnist_dir: Path, tmp_path: Path
) -> None:
    shutil.copytree(imported[0], tmp_path / "run")
    arguments = ("--run-dir", tmp_path / "run", "--steps", 20_100, "--data-dir", mnist_dir)
    result = result_of("train", *arguments)
    assert result["global_step"] == 20_100
    assert result["loss"] == pytest.approx(imported[1]["loss"], abs=2e-3)
    assert result["accuracy"] == pytest.approx(imported[1]["accuracy"], abs=2e-3)
    rows = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    metrics = next(row for row in rows if "loss" in row)  # not the validation of what was imported
    assert metrics["step"] == 20_100
    assert 0.05 < metrics["loss"] < 0.2  # with dropout, over 10,000 training images


def test_exporting_the_imported_run_gives_the_same_bytes(
    imported: tuple[Path, dict[str, Any]], model_dir: Path, mnist_dir: Path, tmp_path: Path
) -> None:
    there = tmp_path / "model_dir"
    arguments = ("--format", "checkpoint", "--output", there, "--data-dir", mnist_dir)
    assert result_of("export", imported[0], *arguments)["max_abs_diff"] == 0
    for path in there.iterdir():  # to the last byte what TensorFlow 2.15 wrote
        assert path.read_bytes() == (model_dir / path.name).read_bytes()
    assert tensorflow().train.latest_checkpoint(str(there)) == str(there / "model.ckpt-20000")
    before, after = newest(Run(imported[0]).checkpoints), read_checkpoint(there)
    assert before is not None
    assert before.step == after.step
    assert before.weights.keys() == after.weights.keys()
    assert all(torch.equal(before.weights[key], after.weights[key]) for key in before.weights)


def test_a_directory_with_a_run_is_refused(
    imported: tuple[Path, dict[str, Any]], model_dir: Path, mnist_dir: Path
) -> None:
    arguments = ("--run-dir", imported[0], "--data-dir", mnist_dir)
    assert "already holds a run" in refusal("import", model_dir, *arguments)


def test_an_import_without_mnist_makes_the_run_and_does_not_score_it(
    model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dead_mirror: str
) -> None:
    monkeypatch.setitem(SOURCES, "mnist", replace(MNIST, mirrors=(dead_mirror,)))
    result = result_of("import", model_dir, "--run-dir", tmp_path / "run")
    assert result == {"global_step": 20_000, "run_dir": str(tmp_path / "run")}
    assert (tmp_path / "run" / "model.onnx").is_file()
    assert not (tmp_path / "run" / "evaluation.json").exists()


# --- wrong checkpoints


def write(folder: Path, values: dict[str, Any]) -> Path:
    """Write a TensorFlow checkpoint of these tensors."""
    names = sorted(values)
    tensorflow().raw_ops.SaveV2(
        prefix=str(folder / "model.ckpt-1"),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[values[name] for name in names],
    )
    return folder / "model.ckpt-1"


def tutorial_tensors(**changes: Any) -> dict[str, Any]:
    """Return tensors of the tutorial's names and shapes, with `changes`; None leaves one out."""
    values: dict[str, Any] = {
        name: np.zeros(shape, np.float32) for name, shape in TUTORIAL_VARIABLES.items()
    }
    values = {**values, "global_step": np.int64(1), **changes}
    return {name: value for name, value in values.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conv2d_1/bias": None}, "it has no tensor conv2d_1/bias"),
        ({"global_step": None}, "it has no tensor global_step"),
        (
            {"dense/kernel": np.zeros((1600, 1024), np.float32)},
            r"dense/kernel is float32 \[1600, 1024\], expected float32 \[3136, 1024\]",
        ),
        ({"dense/bias": np.zeros(1024)}, r"dense/bias is float64 \[1024\], expected float32"),
        ({"dense_2/bias": np.zeros(10, np.float32)}, "it has an unknown tensor dense_2/bias"),
        ({"global_step": np.int64(-1)}, "global_step is -1"),
    ],
)
def test_a_checkpoint_of_another_network_is_refused_and_the_tensor_named(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    prefix = write(tmp_path, tutorial_tensors(**changes))
    line = refusal("import", prefix, "--run-dir", tmp_path / "run")
    assert re.search(message, line), line
    assert str(prefix) in line
    assert not (tmp_path / "run").exists()


DATA, INDEX = "model.ckpt-1.data-00000-of-00001", "model.ckpt-1.index"


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: os.truncate(folder / DATA, 100_000), "tensor conv2d_1/kernel cannot be"),
        (lambda folder: flip(folder / DATA, 9_000_000), "tensor dense/kernel cannot be read"),
        (lambda folder: (folder / DATA).unlink(), DATA),
        (lambda folder: (folder / INDEX).unlink(), f"{INDEX} is missing"),
        (lambda folder: os.truncate(folder / INDEX, 200), f"{INDEX} cannot be read"),
        (lambda folder: flip(folder / INDEX, 100), f"{INDEX} cannot be read"),
    ],
)
def test_a_damaged_checkpoint_is_refused_and_the_tensor_or_file_named(
    damage: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    prefix = write(tmp_path, tutorial_tensors())
    damage(tmp_path)
    line = refusal("import", prefix, "--run-dir", tmp_path / "run")
    assert message in line
    assert str(prefix) in line
    assert not (tmp_path / "run").exists()


# --- export


def keras_probabilities(path: Path, images: Array) -> Array:
    library = tensorflow()
    with quiet():
        logits = library.keras.models.load_model(path).predict(images, verbose=0)
    return library.nn.softmax(logits).numpy()  # type: ignore[no-any-return]


def savedmodel_probabilities(path: Path, images: Array) -> Array:
    library = tensorflow()
    run = library.saved_model.load(str(path)).signatures["serving_default"]
    outputs = run(images=library.constant(images))
    assert set(outputs) == {"classes", "logits", "probabilities"}
    assert (outputs["classes"].numpy() == outputs["probabilities"].numpy().argmax(axis=1)).all()
    return outputs["probabilities"].numpy()  # type: ignore[no-any-return]


def tflite_probabilities(path: Path, images: Array) -> Array:
    with quiet():
        interpreter = tensorflow().lite.Interpreter(str(path))
    (place,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(place["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(place["index"], images)
    interpreter.invoke()
    outputs = interpreter.get_signature_runner("serving_default").get_output_details()
    return interpreter.get_tensor(outputs["probabilities"]["index"])  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("format_", "probabilities", "tolerance"),
    [
        ("keras", keras_probabilities, 1e-5),
        ("savedmodel", savedmodel_probabilities, 1e-5),
        ("tflite", tflite_probabilities, 1e-4),
    ],
)
def test_an_export_agrees_with_the_model_file_on_all_10_000_images(
    format_: str,
    probabilities: Callable[[Path, Array], Array],
    tolerance: float,
    imported: tuple[Path, dict[str, Any]],
    mnist_dir: Path,
    test_split: Split,
) -> None:
    run_dir, _ = imported
    result = result_of("export", run_dir, "--format", format_, "--data-dir", mnist_dir)
    assert result["argmax_equal"] is True
    assert result["n"] == 10_000
    assert result["max_abs_diff"] <= 1e-4
    images = test_split.images[..., np.newaxis] / np.float32(255)
    found = np.concatenate(
        [probabilities(Path(result["path"]), part) for part in np.split(images, 10)]
    )
    _, expected = Model(run_dir / "model.onnx", threads=1).predict(test_split.images)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).sum() == 10_000
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def test_the_keras_network_has_the_tutorials_layers_in_the_tutorials_order() -> None:
    network = keras_network(sample_network("cnn"))
    assert [layer.name for layer in network.layers] == [
        "conv2d",
        "max_pooling2d",
        "conv2d_1",
        "max_pooling2d_1",
        "flatten",
        "dense",
        "dropout",
        "dense_1",
    ]
    activations = {
        layer.name: layer.activation.__name__
        for layer in network.layers
        if hasattr(layer, "activation")
    }
    assert activations == {
        "conv2d": "relu",
        "conv2d_1": "relu",
        "dense": "relu",
        "dense_1": "linear",
    }
    assert network.get_layer("dropout").rate == pytest.approx(0.4)
    assert network.count_params() == 3_274_634


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("network", NETWORKS.names())
def test_every_network_can_be_exported_in_every_format(
    network: str, format_: str, tmp_path: Path
) -> None:
    folder = tmp_path / "files"  # beside the cache, where matplotlib may write
    folder.mkdir()
    path = folder / f"export{Path(FORMATS[format_].file).suffix}"
    result = export_tensorflow(
        sample_network(network), path, tiny_split(20).images, format_=format_, step=3
    )
    assert result["argmax_equal"] is True
    assert list(folder.iterdir()) == [path]


def test_a_layer_with_a_setting_that_keras_lacks_is_refused(tmp_path: Path) -> None:
    model = nn.Sequential()
    model.add_module("conv", nn.Conv2d(1, 2, kernel_size=3, dilation=2))
    model.add_module("flatten", nn.Flatten())
    model.add_module("logits", nn.Linear(2 * 24 * 24, 10))
    path = tmp_path / "export.keras"
    with pytest.raises(ExportError, match=r"does not fit into Keras layers: .*; export it as ONNX"):
        export_tensorflow(model, path, tiny_split(5).images, format_="keras", step=3)
    assert not path.exists()


@pytest.mark.parametrize("format_", FORMATS)
def test_an_export_that_differs_from_its_source_does_not_replace_the_earlier_one(
    format_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "export.keras"
    path.write_text("old")
    monkeypatch.setattr(parity, "TOLERANCE", -1)
    monkeypatch.setattr(parity, "RELATIVE_TOLERANCE", -1)
    with pytest.raises(ExportError, match=r"export\.keras was not written"):
        export_tensorflow(
            sample_network("softmax"), path, tiny_split(5).images, format_=format_, step=3
        )
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_with_a_file_of_the_user_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ExportError, match=r"it holds mine\.txt"):
        export_tensorflow(
            sample_network("softmax"), tmp_path, tiny_split(5).images, format_="savedmodel", step=3
        )
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("small") / "run"
    arguments = ("--data", "digits", "--network", "softmax", "--steps", "1")
    result_of("train", *arguments, "--run-dir", run_dir)
    return run_dir


@pytest.mark.parametrize("format_", FORMATS)
def test_the_command_line_prints_one_line_and_tensorflow_nothing(
    format_: str, small_run: Path
) -> None:
    command = [sys.executable, "-m", "cnn_mnist", "export", small_run, "--format", format_]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def test_a_calibrated_keras_export_has_the_probabilities_of_the_calibrated_onnx_file(
    tmp_path: Path,
) -> None:
    trained(tmp_path / "run")
    classifier, split = Classifier(tmp_path / "run"), tiny_split(50)
    onnx = classifier.export(split.images, path=tmp_path / "a.onnx", calibration=split)
    keras = classifier.export(split.images, format_="keras", calibration=split)
    _, expected = Model(Path(onnx["path"])).predict(split.images)
    images = split.images[..., np.newaxis] / np.float32(255)
    found = keras_probabilities(Path(keras["path"]), images)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


# --- docs/from-estimator.md


@pytest.fixture
def tutorial_files(
    model_dir: Path, mnist_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Make what a reader of the page has: the tutorial's model_dir, an image, a part of MNIST."""
    whole = load("mnist", mnist_dir)
    few = [
        Split(split.images[:500], split.labels[:500]) for split in (whole.validation, whole.test)
    ]
    data = Dataset("mnist", whole.train, *few)
    vars(data)["sha256"] = MNIST_SHA256
    monkeypatch.setattr("cnn_mnist.reading.training_pictures.load", lambda *_, **__: data)
    monkeypatch.chdir(tmp_path)
    Path("mnist_convnet_model").symlink_to(model_dir)
    Image.fromarray(255 - few[1].images[0].repeat(4, axis=0).repeat(4, axis=1)).save("my-digit.png")


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return the commands and the code of a page, without comments: language and text."""
    found = re.findall(r"^```(bash|python)\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    return [(language, re.sub(r" +#.*", "", text)) for language, text in found]


@pytest.mark.usefixtures("tutorial_files")
def test_the_page_for_the_tutorials_readers_runs_from_top_to_bottom() -> None:
    names: dict[str, Any] = {}
    for language, text in blocks(DOCS[0]):
        if language == "python":
            with quiet():
                exec(text.replace("steps=20000", "steps=20").replace("== 1000", "== 20"), names)
        for line in text.splitlines():
            if line.startswith("cnn-mnist "):
                result_of(*shlex.split(line)[1:])
    assert names["accuracy"] > 0.95
    assert (names["classes"] == names["test"].labels).mean() > 0.95


def test_the_page_has_the_same_code_in_both_languages() -> None:
    english, chinese = (blocks(page) for page in DOCS)
    assert english == chinese
