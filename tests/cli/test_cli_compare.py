"""Test `cnn-mnist compare`."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import invoke, refusal, result_of
from scipy import stats
from tiny import tiny_dataset, tiny_recipe

from cnn_mnist.classifier import Classifier
from cnn_mnist.cli.compare import _verdict
from cnn_mnist.data.dataset import Dataset, Split
from cnn_mnist.data.load import load
from cnn_mnist.runs.json_files import read_json, write_json
from cnn_mnist.runs.run import Run
from cnn_mnist.training.trials import run_trials


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, digits: Dataset) -> Path:
    """Trials `a` and `b` of two recipes on the digits, and `elsewhere` on other data."""
    folder = tmp_path_factory.mktemp("compare")
    for name, steps, n in (("a", 8, 3), ("b", 40, 2)):
        run_trials(folder / name, tiny_recipe(steps=steps), digits, n=n, device="cpu")
    run_trials(folder / "elsewhere", tiny_recipe(steps=2), tiny_dataset(), n=1, device="cpu")
    return folder


def test_two_runs_are_compared_on_the_same_images(folder: Path, digits: Dataset) -> None:
    a, b = folder / "a" / "seed-0", folder / "b" / "seed-0"
    result = result_of("compare", a, b)
    labels = digits.test.labels
    right = [Classifier(run).logits(digits).argmax(axis=1) == labels for run in (a, b)]
    assert result["difference"] == pytest.approx(right[1].mean() - right[0].mean())
    assert result["only_a"] == np.sum(right[0] & ~right[1])
    assert result["only_b"] == np.sum(right[1] & ~right[0])
    assert result["p"] < 0.05
    assert 0 < result["interval"][0] < result["difference"] < result["interval"][1]
    assert (result["split"], result["n"]) == ("test", len(labels))
    text = invoke("compare", a, b).stdout
    assert f"B is better by {100 * result['difference']:.3g} points (95 % interval" in text
    assert "A is better by" in invoke("compare", b, a).stdout


def test_a_run_and_its_model_file_do_not_differ(folder: Path, digits: Dataset) -> None:
    run = folder / "a" / "seed-1"
    model = folder / "model.onnx"
    Classifier(run).export(digits.test.images[:20], path=model)
    result = result_of("compare", run, model, "--split", "validation")
    assert (result["difference"], result["p"], result["settled"]) == (0, 1, False)
    assert result["n"] == len(digits.validation)
    assert "not settled: A and B are equally accurate" in invoke("compare", model, model).stdout


def test_trials_are_compared_over_their_seeds(folder: Path, digits: Dataset) -> None:
    result = result_of("compare", folder / "a", folder / "b")
    arms = [
        [Classifier(folder / name / f"seed-{seed}").evaluate(digits)["accuracy"] for seed in seeds]
        for name, seeds in (("a", (0, 1, 2)), ("b", (0, 1)))
    ]
    assert [result[key]["accuracies"] for key in "ab"] == arms
    assert [result[key]["n"] for key in "ab"] == [3, 2]
    assert result["p"] == stats.ttest_ind(*arms, equal_var=False).pvalue
    assert result["difference"] == pytest.approx(np.mean(arms[1]) - np.mean(arms[0]))
    text = invoke("compare", folder / "a", folder / "b").stdout
    assert "(n = 3)" in text
    assert "seeds each" in text


def test_one_seed_settles_nothing(folder: Path) -> None:
    text = invoke("compare", folder / "elsewhere", folder / "a", "--data", "digits").stdout
    assert "not settled: one seed has no deviation; train at least two seeds of each" in text


def test_seeds_that_are_all_alike_say_nothing_of_the_deviation() -> None:
    arm = {"n": 3}
    nothing = {"interval": None, "p": None, "settled": False}
    text = _verdict({"difference": 0.01, "a": arm, "b": arm, **nothing})
    assert "the means differ by 1 points, but no seed differs from another" in text


def test_a_difference_that_is_not_settled_is_not_called_better() -> None:
    text = _verdict({"difference": -0.001, "interval": [-0.003, 0.001], "p": 0.3, "settled": False})
    assert text == (
        "the difference is not settled: A is ahead by 0.1 points "
        "(95 % interval -0.1 to 0.3 points, p = 0.3)"
    )


def test_runs_on_other_data_are_compared_only_on_named_images(folder: Path) -> None:
    a, other = folder / "a", folder / "elsewhere"
    for one, two in ((a, other), (other, a)):
        line = refusal("compare", one, two)
        assert "digits" in line
        assert "tiny" in line
        assert "say with --data" in line
    result = invoke("compare", a, other, "--data", "digits")
    assert result.exit_code == 0
    assert "elsewhere" in result.stderr  # the warning


def test_a_run_that_has_not_ended_is_one_line(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    Classifier(run, tiny_recipe(steps=4), device="cpu").train(load("digits"))
    content = read_json(Run(run).recipe_file)
    assert content
    content["recipe"]["steps"] = 1000
    write_json(Run(run).recipe_file, content)
    line = refusal("compare", run, folder / "a" / "seed-0")
    assert f"{run} is at step 4 of 1,000" in line
    # as `train` leaves a run that a hook has stopped
    write_json(Run(run).evaluation_file, {"global_step": 4})
    assert result_of("compare", run, folder / "a" / "seed-0")["n"] == 297


def test_networks_of_other_classes_are_one_line(folder: Path, digits: Dataset) -> None:
    keep = {name: split.labels < 5 for name, split in digits.splits.items()}
    few = {
        name: Split(split.images[keep[name]], split.labels[keep[name]])
        for name, split in digits.splits.items()
    }
    run_trials(folder / "few", tiny_recipe(steps=2), Dataset(name="few", **few), n=1, device="cpu")
    line = refusal("compare", folder / "few" / "seed-0", folder / "a" / "seed-0")
    assert "has 5 classes and" in line
    single = folder / "few" / "seed-0"
    line = refusal("compare", single, single, "--data", "digits")
    assert "digits has 10" in line


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [
        ("a", "a/seed-0", "a is a folder of trials and "),
        ("a", "nowhere", "nowhere does not exist"),
        (".", ".", "holds several trials: compare one of them, such as "),
        ("a/seed-0/checkpoints", "a/seed-0", "is not a run directory"),
        ("a/seed-0/recipe.json", "a/seed-0", "recipe.json"),
    ],
)
def test_what_cannot_be_compared_is_one_line(folder: Path, a: str, b: str, says: str) -> None:
    assert says in refusal("compare", folder / a, folder / b)


def test_trials_of_several_recipes_in_one_folder_are_one_line(
    tmp_path: Path, folder: Path, digits: Dataset
) -> None:
    for seed, rate in enumerate((0.01, 0.02)):
        recipe = replace(tiny_recipe(steps=2), learning_rate=rate)
        run_trials(tmp_path / "mixed", recipe, digits, n=1, first_seed=seed, device="cpu")
    line = refusal("compare", tmp_path / "mixed", folder / "a")
    assert "seed-1: learning_rate: 0.01 -> 0.02" in line
