"""Recipes: validated, frozen, and rebuilt from JSON with every value checked."""

import dataclasses
import json
import re
from typing import Any

import pytest

from cnn_mnist.errors import RecipeError
from cnn_mnist.recipe import RECIPES, Recipe, named


def recipe(**changes: Any) -> Recipe:
    return Recipe(**{"name": "mine", "learning_rate": 0.1, "steps": 100} | changes)


def test_the_named_recipes_are_those_of_the_command_line() -> None:
    assert list(RECIPES) == ["accurate", "best", "fast", "finetune", "standard", "tutorial"]
    assert all(named(name).name == name for name in RECIPES)


def test_the_tutorial_recipe_equals_the_tutorial() -> None:
    tutorial = named("tutorial")
    assert (tutorial.network, tutorial.dropout, tutorial.batch_size) == ("cnn", 0.4, 100)
    assert (tutorial.optimizer, tutorial.weight_decay, tutorial.label_smoothing) == ("sgd", 0, 0)
    assert (tutorial.augmentation, tutorial.steps) == ("none", 20_000)
    assert (tutorial.schedule, tutorial.learning_rate) == ("constant", 0.001)


def test_a_named_recipe_takes_changes_and_stays_as_it_was() -> None:
    assert named("standard", steps=7).steps == 7
    assert named("standard").steps == 2000


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RecipeError, match=r"'slow'.*best, fast, finetune, standard, tutorial"):
        named("slow")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("precision", "float8"),
        ("steps", 0),
        ("steps", -1),
        ("steps", 1.5),
        ("steps", True),
        ("steps", "100"),
        ("batch_size", 0),
        ("log_every", 0),
        ("checkpoint_every", 0),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("dropout", float("nan")),
        ("warmup", 1.0),
        ("label_smoothing", 1.0),
        ("beta1", 1.0),
        ("beta2", -0.1),
        ("learning_rate", -0.1),
        ("learning_rate", float("inf")),
        ("learning_rate", float("nan")),
        ("learning_rate", "0.1"),
        ("learning_rate", True),
        ("weight_decay", float("nan")),
        ("momentum", 1.0),
        ("nesterov", True),  # without momentum
        ("nesterov", 1),
        ("decay_every", 0),
        ("decay_factor", 0.0),
        ("decay_factor", 1.5),
        ("learning_rate", 1 << 60),
        ("network", ""),
        ("name", "a\nb"),
        ("optimizer_options", [1]),
    ],
)
def test_an_impossible_value_is_refused_by_field_and_value(field: str, value: object) -> None:
    with pytest.raises(RecipeError, match=re.escape(f"{field}={value!r}")):
        recipe(**{field: value})


def test_a_recipe_error_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="steps"):
        recipe(steps=0)


def test_an_integer_is_accepted_for_a_float() -> None:
    assert type(recipe(learning_rate=1).learning_rate) is float


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe().steps = 5


def test_fields_are_given_by_name_only() -> None:
    with pytest.raises(TypeError):
        Recipe("mine", learning_rate=0.1, steps=100)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_comes_back_from_json_equal(name: str) -> None:
    assert Recipe.from_dict(json.loads(json.dumps(named(name).to_dict()))) == named(name)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "a JSON object, not list"),
        (None, "a JSON object, not NoneType"),
        ({}, "incomplete.*name"),
        ({"name": "a", "steps": 1}, "incomplete.*learning_rate"),
        (recipe().to_dict() | {"inertia": 0.9, 3: 1}, "unknown fields: 3, inertia"),
        (recipe().to_dict() | {"steps": None}, "steps=None"),
    ],
)
def test_invalid_json_values_are_refused(values: object, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe.from_dict(values)


@pytest.mark.parametrize(
    "changes", [{"name": "x"}, {"steps": 5}, {"log_every": 5}, {"checkpoint_every": 5}]
)
def test_settings_that_train_the_same_model_are_no_difference(changes: dict[str, Any]) -> None:
    assert recipe().differences(recipe(**changes)) == []


def test_settings_that_train_another_model_are_named_with_both_values() -> None:
    other = recipe(batch_size=7, network="softmax")
    assert recipe().differences(other) == ["network: 'cnn' -> 'softmax'", "batch_size: 100 -> 7"]


@pytest.mark.parametrize(
    "options",
    [
        {"eps": float("inf")},
        {"eps": None},
        {"eps": {"a": 1}},
        {"betas": [0.9, [1]]},
        {"mode": "a\x7f"},
        {"seed": 1 << 60},
        {"no name": 1},
        {3: 1},
    ],
)
def test_an_option_that_no_file_could_hold_is_refused(options: dict[Any, Any]) -> None:
    with pytest.raises(RecipeError, match="recipe field optimizer_options"):
        recipe(optimizer_options=options)


def test_options_are_kept_as_json_has_them() -> None:
    options = {"betas": (0.9, 0.99), "eps": 1e-6}
    mine = recipe(optimizer_options=options)
    assert mine.optimizer_options == {"betas": [0.9, 0.99], "eps": 1e-6}
    options["eps"] = 1.0  # the recipe has its own copy
    assert mine.optimizer_options["eps"] == 1e-6
    assert mine == Recipe.from_dict(json.loads(json.dumps(mine.to_dict())))
    assert len({mine, recipe()}) == 2


def test_a_recipe_from_before_a_field_existed_still_opens() -> None:
    old = recipe().to_dict()
    for field in ("momentum", "nesterov", "optimizer_options", "decay_every", "decay_factor"):
        del old[field]
    assert Recipe.from_dict(old) == recipe()
