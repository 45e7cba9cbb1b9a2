"""Test `cnn-mnist recipe`, and the recipe that the flags of `train` and `trials` make."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import invoke, refusal, result_of
from test_recipe_text import SETTINGS

from cnn_mnist.cli.run_names import default_run_dir
from cnn_mnist.cli.training_options import RecipeFlags
from cnn_mnist.recipe import RECIPES, Recipe, named
from cnn_mnist.recipe_text import load_recipe
from cnn_mnist.training.augmentation import AUGMENTATIONS
from cnn_mnist.training.optimizers import OPTIMIZERS
from cnn_mnist.training.schedules import SCHEDULES

TINY = ("train", "--data", "digits", "--network", "softmax", "--steps", 3)


def flags(*settings: str, **given: Any) -> RecipeFlags:
    names = ("recipe_name", "network", "learning_rate", "batch_size", "epochs", "dropout")
    nothing = dict.fromkeys((*names, "optimizer", "steps", "precision"))
    return RecipeFlags(**nothing | {"settings": settings} | given)


def recipe_of(run_dir: Path | str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(run_dir, "recipe.json").read_text())["recipe"]
    return content


@pytest.fixture(autouse=True)
def in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep default run directories, and what a user's own module leaves in Python, in the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for registry in (AUGMENTATIONS, OPTIMIZERS, SCHEDULES):
        monkeypatch.setattr(registry, "_parts", dict(registry._parts))
    monkeypatch.delitem(sys.modules, "mine", raising=False)


def test_every_recipe_is_listed() -> None:
    assert [each["name"] for each in result_of("recipe", "list")["recipes"]] == list(RECIPES)
    lines = invoke("recipe", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_that_is_shown_and_trained_from_a_file_is_the_same_run(name: str) -> None:
    Path("b.toml").write_text(invoke("recipe", "show", name).stdout)
    recipe = flags(recipe_name="b.toml").recipe()
    assert recipe == flags(recipe_name=name).recipe() == named(name)
    assert default_run_dir(recipe, "mnist", "seed0") == Path("runs", f"{name}-mnist-seed0")


def test_a_shown_recipe_continues_the_run_of_its_name() -> None:
    Path("b.toml").write_text(invoke("recipe", "show", "tutorial").stdout)
    first = result_of(*TINY, "--recipe", "tutorial")
    second = result_of(*TINY[:-1], 6, "--recipe", "b.toml")
    assert first["run_dir"] == second["run_dir"]
    assert second["global_step"] == 6


def test_the_recipe_of_a_run_is_shown() -> None:
    run_dir = result_of(*TINY, "--set", "optimizer_options.eps=1e-6")["run_dir"]
    Path("c.toml").write_text(invoke("recipe", "show", run_dir).stdout)
    assert load_recipe("c.toml").to_dict() == recipe_of(run_dir)
    assert result_of("recipe", "show", run_dir) == recipe_of(run_dir)


def test_an_unknown_recipe_is_one_line_with_the_near_miss() -> None:
    assert "did you mean standard" in refusal("recipe", "show", "standart")
    assert "did you mean standard" in refusal("train", "--recipe", "standart")
    assert "none.toml cannot be read" in refusal("train", "--recipe", "none.toml")


def test_shorthands_and_settings_reach_the_run() -> None:
    result = result_of(
        *("train", "--data", "digits", "--network", "softmax", "--lr", "0.01", "--dropout", "0.1"),
        *("--batch-size", 50, "--optimizer", "sgd", "--epochs", "0.2"),
        *("--set", "momentum=0.9", "--set", "nesterov=true", "--set", "schedule=cosine"),
    )
    recipe = Recipe.from_dict(recipe_of(result["run_dir"]))
    assert (recipe.learning_rate, recipe.dropout, recipe.batch_size) == (0.01, 0.1, 50)
    assert (recipe.optimizer, recipe.momentum, recipe.nesterov) == ("sgd", 0.9, True)
    assert (recipe.schedule, recipe.name) == ("cosine", "standard")
    assert recipe.steps == result["global_step"] == round(0.2 * 1375 / 50)


@pytest.mark.parametrize("field", SETTINGS)
def test_every_field_can_be_set_by_a_flag(field: str) -> None:
    text, _, value = SETTINGS[field]
    with_it = {"nesterov": ["momentum=0.9", "optimizer=sgd"], "momentum": ["optimizer=sgd"]}
    recipe = flags(f"{field}={text}", *with_it.get(field, [])).recipe()
    assert getattr(recipe, field) == value


def test_epochs_are_steps_of_all_training_images() -> None:
    recipe = flags(epochs=3.0, batch_size=50).recipe()
    assert flags(epochs=3.0).with_epochs(recipe, 1000).steps == 60
    assert flags(epochs=0.001).with_epochs(recipe, 1000).steps == 1
    assert flags().with_epochs(recipe, 1000).steps == recipe.steps


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "lr=0.1"], "no recipe field is called 'lr' (='0.1'): did you mean learning_"),
        (["--set", "steps=2e3"], "recipe field steps='2e3': expected a whole number"),
        (["--set", "steps"], "'steps' is not a setting: expected FIELD=VALUE"),
        (["--set", "precision=half"], "precision='half': expected float32, bfloat16"),
        (["--set", "batch_size=0"], "recipe field batch_size=0: expected 1 to"),
        (["--batch-size", "0"], "recipe field batch_size=0: expected 1 to"),
        (["--lr", "nan"], "recipe field learning_rate=nan: expected [0, inf)"),
        (["--dropout", "1"], "recipe field dropout=1.0: expected [0, 1)"),
        (["--steps", "0"], "'--steps': 0 is not in the range"),
        (["--lr", "0.1", "--set", "learning_rate=1"], "learning_rate is set twice"),
        (["--set", "dropout=0", "--set", "dropout=0"], "dropout is set twice"),
        (["--epochs", "2", "--set", "steps=3"], "--epochs and --steps exclude each other"),
        (["--momentum", "0.9"], "No such option '--momentum': use --set momentum=0.9"),
        (["--weight-decay=0.01"], "use --set weight_decay=0.01"),
        (["--lr-schedule", "cosine"], "use --set schedule=cosine"),
        (["--warmup", "0.1"], "use --set warmup=0.1"),
        (["--nesterov"], "use --set nesterov=true"),
        (["--num-epochs", "3"], "use --epochs 3"),
        (["--max-steps", "3"], "use --steps 3"),
        (["--wd", "--json"], "use --set weight_decay=VALUE"),
        (["--model-dir", "runs/a"], "use --run-dir runs/a"),
        (["--colour", "red"], "--colour"),
    ],
)
def test_wrong_usage_is_one_line_with_the_way_out(arguments: list[str], message: str) -> None:
    assert message in refusal("train", *arguments, exit_code=2)
    assert not Path("runs").exists()


def test_a_flag_without_a_value_is_named_without_one() -> None:
    assert refusal("train", "--as_is", exit_code=2).endswith("use --as-is")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "optimizer=adma"], "no optimizer is called 'adma'"),
        (["--optimizer", "adma"], "no optimizer is called 'adma'"),
        (["--optimizer", "no:where"], "optimizer 'no:where' cannot be imported"),
        (["--set", "schedule=cosin"], "no schedule is called 'cosin'"),
        (["--set", "augmentation=no:where"], "augmentation 'no:where' cannot be imported"),
        (["--network", "cnnn"], "no network is called 'cnnn'"),
        (["--network", "no:where"], "network 'no:where' cannot be imported"),
        (["--recipe", "standart"], "no recipe is called 'standart'"),
        (["--recipe", "nowhere.toml"], "nowhere.toml cannot be read"),
        (["--set", "momentum=0.9"], "momentum=0.9: the optimizer adam has none"),
        (["--optimizer", "LBFGS"], "optimizer 'LBFGS' cannot be used here"),
        (["--set", "optimizer_options.foo=1"], "optimizer 'adam' cannot be made with {'foo': 1}"),
    ],
)
def test_what_does_not_exist_or_cannot_be_used_is_one_line_before_anything_is_written(
    arguments: list[str], message: str
) -> None:
    assert message in refusal("train", "--data", "nowhere", *arguments)
    assert not Path("runs").exists()


OWN = """
import torch

def blur(images, generator):
    return torch.nn.functional.avg_pool2d(images, 3, 1, 1)

def fall(recipe, step):
    return 1 - step / recipe.steps

class Plain(torch.optim.SGD):
    pass
"""


def test_parts_of_ones_own_are_imported_when_a_flag_names_them_and_never_for_a_file() -> None:
    Path("mine.py").write_text(OWN)
    own = ("augmentation=mine:blur", "schedule=mine:fall", "optimizer=mine:Plain")
    Path("own.toml").write_text(
        'base = "standard"\n' + "\n".join('{} = "{}"'.format(*each.split("=")) for each in own)
    )
    line = refusal(*TINY, "--recipe", "own.toml")
    assert "the optimizer is mine:Plain, which is your own: name it with --set optimizer=" in line
    assert "mine" not in sys.modules
    settings = [argument for each in own for argument in ("--set", each)]
    run_dir = result_of(*TINY, *settings, "--run-dir", "r")["run_dir"]
    assert recipe_of(run_dir)["augmentation"] == "mine:blur"
    again = result_of(*TINY[:-1], 5, "--recipe", "own.toml", "--run-dir", "r", "--set", own[0])
    assert again["global_step"] == 5


def test_a_part_of_ones_own_may_be_given_by_its_file() -> None:
    Path("mine.py").write_text(OWN)
    recipe = flags("augmentation=mine.py:blur", optimizer="mine.py:Plain").recipe()
    assert (recipe.augmentation, recipe.optimizer) == ("mine:blur", "mine:Plain")


def test_a_grid_is_what_has_several_values() -> None:
    single, grid = flags("learning_rate=0.1,0.2", "momentum=0.9", optimizer="sgd").without_grid()
    assert grid == {"learning_rate": [0.1, 0.2]}
    assert (single.recipe().momentum, single.recipe().learning_rate) == (0.9, 0.002)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "standard"),
        ({"steps": 7, "log_every": 3, "checkpoint_every": 9}, "standard"),
        ({"learning_rate": 0.01}, "standard-lr0.01"),
        (
            {"optimizer": "sgd", "momentum": 0.9, "nesterov": True},
            "standard-sgd-momentum0.9-nesterov",
        ),
        ({"network": "my_nets:wide", "batch_size": 50}, "standard-my_nets.wide-batch50"),
        ({"optimizer_options": {"eps": 1e-6}}, "standard-eps1e-06"),
    ],
)
def test_a_default_run_directory_is_short_and_readable(
    changes: dict[str, Any], expected: str
) -> None:
    recipe = named("standard", **changes)
    assert default_run_dir(recipe, "mnist", "seed0") == Path("runs", f"{expected}-mnist-seed0")


def test_a_default_run_directory_differs_where_a_setting_does() -> None:
    recipes = [
        *RECIPES.values(),
        named("standard", learning_rate=0.01),
        named("standard", learning_rate=0.010000000000000002),
        named("standard", network="cnn:bn"),
        named("standard", network="cnn-bn"),
        named("standard", network="../../x"),
        named("standard", network="..-..-x"),
        named("standard", optimizer_options={"betas": [0.9, 0.99]}),
        named("standard", optimizer_options={"betas": [0.9, 0.98]}),
        named(
            "standard", **dict.fromkeys(("dropout", "warmup", "beta1", "label_smoothing"), 0.123)
        ),
        named("standard", name="mine"),
        named("standard", name="mine", learning_rate=0.01),
        named("standard", name="a/../../b"),
    ]
    names = [default_run_dir(recipe, "my/data", "seed0") for recipe in recipes]
    assert len(set(names)) == len(recipes)
    assert all(len(name.parts) == 2 and len(name.name) < 100 for name in names)
    again = named("standard", optimizer_options={"a": 1, "b": 2})
    other_order = named("standard", optimizer_options={"b": 2, "a": 1})
    assert default_run_dir(again, "d", "x") == default_run_dir(other_order, "d", "x")
