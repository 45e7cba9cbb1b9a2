"""Where the weights of a training come from."""

from pathlib import Path

import pytest
import torch
from tiny import one_thread as one_thread  # a fixture of every test here
from tiny import tiny_dataset, tiny_recipe, trained

from cnn_mnist.classifier import Classifier
from cnn_mnist.errors import ModelError, RunError
from cnn_mnist.export.start import choose_start, read_start, with_network_of
from cnn_mnist.recipe import RECIPES
from cnn_mnist.runs.identity import read_identity
from cnn_mnist.runs.run import Run


def test_the_bundled_model_has_two_names_and_is_a_model_file_like_any_other() -> None:
    bundled = read_start("bundled")
    assert (bundled.network, bundled.class_names) == ("deep", tuple("0123456789"))
    assert read_start("box").sha256 == bundled.sha256


def test_a_run_gives_the_weights_of_its_newest_checkpoint(tmp_path: Path) -> None:
    trainer = trained(tmp_path)
    start = read_start(tmp_path)
    assert start.network == "softmax"
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(start.weights[name], value)


def test_a_run_and_its_model_file_give_the_same_network(tmp_path: Path) -> None:
    trained(tmp_path)
    images = torch.zeros(2, 28, 28, dtype=torch.uint8).numpy()
    Classifier(tmp_path).export(images)
    assert read_start(tmp_path / "model.onnx").sha256 == read_start(tmp_path).sha256


@pytest.mark.parametrize("source", ["nowhere", "nowhere/model.onnx"])
def test_what_is_not_there_is_refused_with_what_there_could_be(source: str) -> None:
    with pytest.raises(ModelError, match="expected bundled, a run directory, or a model file"):
        read_start(source)


def test_a_folder_that_is_not_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run directory"):
        read_start(tmp_path)


def test_a_recipe_with_replay_starts_from_the_bundled_model(tmp_path: Path) -> None:
    start = choose_start(Run(tmp_path), RECIPES["finetune"], None)
    assert start is not None
    assert start.sha256 == read_start("bundled").sha256
    assert choose_start(Run(tmp_path), RECIPES["standard"], None) is None


def test_a_run_with_a_checkpoint_goes_on_from_there(tmp_path: Path) -> None:
    trained(tmp_path)
    assert choose_start(Run(tmp_path), RECIPES["finetune"], None) is None


def test_the_network_is_that_of_the_start_also_when_the_run_goes_on(tmp_path: Path) -> None:
    trained(tmp_path / "source")
    recipe = tiny_recipe(network="cnn", dropout=0.0)
    first = Classifier(tmp_path / "run", recipe, start=tmp_path / "source")
    first.train(tiny_dataset(), steps=1)
    assert first.recipe.network == "softmax"
    again = Classifier(tmp_path / "run", recipe)
    assert again.recipe.network == "softmax"
    assert again.train(tiny_dataset(), steps=1).run == first.run


def test_a_run_from_drawn_weights_keeps_the_recipes_network(tmp_path: Path) -> None:
    trained(tmp_path)
    recipe = tiny_recipe(network="cnn")
    assert with_network_of(None, read_identity(Run(tmp_path)), recipe) == recipe


def test_a_network_that_is_named_beside_the_start_is_not_replaced(tmp_path: Path) -> None:
    trained(tmp_path / "source")
    classifier = Classifier(
        tmp_path / "run", tiny_recipe(), network="small", start=tmp_path / "source"
    )
    with pytest.raises(RunError, match="of the network softmax and do not fit"):
        classifier.train(tiny_dataset())
