"""`Classifier`: the tutorial's methods over a run directory."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import Watch, tiny_dataset, tiny_recipe, tiny_split
from tiny import one_thread as one_thread  # a fixture of every test here

from cnn_mnist import classifier as classifier_module
from cnn_mnist.classifier import Classifier
from cnn_mnist.data.dataset import Dataset, Split
from cnn_mnist.errors import ImageError, RecipeError, RunError
from cnn_mnist.evaluation import trained_run
from cnn_mnist.inference.model import Model
from cnn_mnist.runs.checkpoint import newest
from cnn_mnist.runs.json_files import read_json, write_json

DATA = tiny_dataset()


@pytest.fixture
def mnist_classifier(tmp_path: Path) -> Classifier:
    return Classifier(tmp_path / "run", tiny_recipe(), device="cpu")


def steps_done(run: Classifier) -> int:
    checkpoint = newest(run.run.checkpoints)
    return checkpoint.step if checkpoint else 0


# --- train


def test_training_ends_at_the_recipes_step_and_goes_on_to_another(
    mnist_classifier: Classifier,
) -> None:
    for arguments, end in (
        ({"steps": 10}, 10),
        ({"steps": 5}, 15),
        ({"max_steps": 20}, 20),
        ({"max_steps": 20}, 20),
        ({}, 30),
        ({}, 30),
        ({"steps": 1}, 31),
    ):
        assert mnist_classifier.train(DATA, **arguments) is mnist_classifier
        assert steps_done(mnist_classifier) == end


def test_another_classifier_of_the_same_directory_goes_on_with_its_recipe_and_seed(
    tmp_path: Path,
) -> None:
    Classifier(tmp_path, tiny_recipe(), seed=7, device="cpu").train(DATA, steps=10)
    watch = Watch()
    again = Classifier(tmp_path, device="cpu")
    again.train(DATA, steps=10, hooks=(watch,))
    assert watch.steps == list(range(11, 21))
    assert again.seed == 7
    assert again.recipe.differences(tiny_recipe()) == []


def test_steps_and_max_steps_exclude_each_other(mnist_classifier: Classifier) -> None:
    with pytest.raises(ValueError, match="steps and max_steps"):
        mnist_classifier.train(DATA, steps=1, max_steps=2)
    assert not mnist_classifier.run.path.exists()


def test_a_recipe_can_be_named(tmp_path: Path) -> None:
    assert Classifier(tmp_path, "tutorial").recipe.steps == 20_000
    assert Classifier(tmp_path).recipe.name == "standard"
    with pytest.raises(RecipeError, match="'none'"):
        Classifier(tmp_path, "none")


def test_data_can_be_named(mnist_classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier_module, "load", {"mnist": DATA}.__getitem__)
    mnist_classifier.train("mnist", steps=1)
    assert mnist_classifier.evaluate("mnist")["dataset"] == "tiny"


# --- evaluate


def test_evaluation_gives_the_tutorials_keys_and_learns(mnist_classifier: Classifier) -> None:
    result = mnist_classifier.train(DATA).evaluate(DATA)
    assert list(result)[:3] == ["accuracy", "loss", "global_step"]
    assert result["global_step"] == 30
    assert result["accuracy"] > 0.9
    assert result["loss"] < 1.5
    assert (result["n"], result["split"], result["dataset"]) == (50, "test", "tiny")
    assert result["train_seconds"] > 0


@pytest.mark.parametrize(("split", "n"), [("train", 220), ("validation", 20), ("test", 50)])
def test_any_split_can_be_evaluated(split: str, n: int, mnist_classifier: Classifier) -> None:
    result = mnist_classifier.train(DATA, steps=1).evaluate(DATA, split=split)
    assert (result["split"], result["n"]) == (split, n)


def test_nothing_trained_is_an_error(mnist_classifier: Classifier) -> None:
    for verb in (
        lambda: mnist_classifier.evaluate(DATA),
        lambda: mnist_classifier.export(DATA.test.images),
        lambda: next(mnist_classifier.predict(DATA.test.images)),
    ):
        with pytest.raises(RunError, match="train one there first"):
            verb()
    assert not mnist_classifier.run.path.exists()


def test_data_with_more_classes_than_were_trained_are_refused(
    mnist_classifier: Classifier,
) -> None:
    mnist_classifier.train(DATA, steps=1)
    test = Split(DATA.test.images, DATA.test.labels + np.uint8(16))
    letters = Dataset("letters", train=DATA.train, validation=DATA.validation, test=test)
    with pytest.raises(RunError, match="trained on 10 classes, letters has 26"):
        mnist_classifier.evaluate(letters)


def test_a_finished_run_keeps_its_metrics_and_its_model(mnist_classifier: Classifier) -> None:
    metrics = mnist_classifier.train(DATA).finish(DATA)
    assert read_json(mnist_classifier.run.evaluation_file) == metrics
    metadata = Model(mnist_classifier.run.model_file).metadata
    assert {key: metadata[key] for key in ("dataset", "seed", "global_step")} == {
        "dataset": "tiny",
        "seed": "0",
        "global_step": "30",
    }
    assert float(metadata["accuracy"]) == metrics["accuracy"]


# --- predict


def test_predictions_have_the_tutorials_keys(mnist_classifier: Classifier) -> None:
    predictions = list(mnist_classifier.train(DATA).predict(DATA.test.images))
    assert len(predictions) == 50
    for prediction in predictions:
        assert set(prediction) == {"classes", "probabilities"}
        assert prediction["probabilities"].shape == (10,)
        assert prediction["probabilities"].sum() == pytest.approx(1)
        assert prediction["probabilities"].argmax() == prediction["classes"]
    right = [each["classes"] for each in predictions] == DATA.test.labels
    assert right.mean() == mnist_classifier.evaluate(DATA)["accuracy"]


def test_prediction_after_more_training_uses_the_new_weights(
    mnist_classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports = []
    export_network = classifier_module.export_network

    def count(*arguments: Any, **options: Any) -> dict[str, Any]:
        exports.append(arguments[1])
        return export_network(*arguments, **options)

    monkeypatch.setattr(classifier_module, "export_network", count)

    def predict() -> Any:
        predictions = mnist_classifier.predict(DATA.test.images)
        return np.stack([prediction["probabilities"] for prediction in predictions])

    mnist_classifier.train(DATA, steps=1)
    early, again = predict(), predict()
    assert len(exports) == 1  # the same weights are not exported twice
    np.testing.assert_array_equal(early, again)
    mnist_classifier.train(DATA)
    late, labels = predict(), DATA.test.labels
    assert len(exports) == 2
    assert late[np.arange(50), labels].mean() > early[np.arange(50), labels].mean() + 0.1


def test_floats_are_predicted_like_bytes(mnist_classifier: Classifier) -> None:
    images = tiny_split(4).images
    mnist_classifier.train(DATA, steps=5)
    results = [
        np.stack([prediction["probabilities"] for prediction in mnist_classifier.predict(given)])
        # floats first: the export that they cause compares on them
        for given in (images / 255, images, images[:, None])
    ]
    np.testing.assert_allclose(results[0], results[1], atol=1e-6)
    np.testing.assert_array_equal(results[1], results[2])


def test_tensors_and_lists_are_predicted_like_arrays(mnist_classifier: Classifier) -> None:
    images = tiny_split(4).images
    mnist_classifier.train(DATA, steps=5)
    results = [
        np.stack([prediction["probabilities"] for prediction in mnist_classifier.predict(given)])
        for given in (images, torch.from_numpy(images), list(images), images.tolist())
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
    with pytest.raises(ImageError, match="images cannot be of type str"):
        next(mnist_classifier.predict("images.npy"))


@pytest.mark.parametrize("exported", [False, True])
@pytest.mark.parametrize(
    "images", [np.zeros((2, 5, 5), np.uint8), np.full((2, 28, 28), np.nan)], ids=["shape", "nan"]
)
def test_images_of_another_form_are_refused(
    images: Any, exported: bool, mnist_classifier: Classifier
) -> None:
    mnist_classifier.train(DATA, steps=1)
    if exported:
        mnist_classifier.export(DATA.test.images)
    with pytest.raises(ImageError):
        next(mnist_classifier.predict(images))


def test_an_evaluation_is_of_one_checkpoint_while_training_goes_on(
    mnist_classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    mnist_classifier.train(DATA, steps=1)
    all_logits = trained_run.all_logits

    def while_training(*arguments: Any) -> Any:
        mnist_classifier.train(DATA, steps=1)
        return all_logits(*arguments)

    expected = mnist_classifier.evaluate(DATA)
    monkeypatch.setattr(trained_run, "all_logits", while_training)
    assert mnist_classifier.evaluate(DATA) == expected


def test_an_evaluation_without_accuracy_does_not_hinder_an_export(
    mnist_classifier: Classifier,
) -> None:
    mnist_classifier.train(DATA, steps=1)
    write_json(mnist_classifier.run.evaluation_file, {"global_step": 1})
    assert mnist_classifier.export(DATA.test.images)["argmax_equal"]
