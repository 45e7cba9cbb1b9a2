"""Recipes as text: TOML files, and settings of the command line."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from cnn_mnist.errors import RecipeError
from cnn_mnist.recipe import RECIPES, Recipe, named
from cnn_mnist.recipe_text import load_recipe, parse_grid, parse_setting, to_toml, with_settings

SETTINGS: dict[str, tuple[str, str, Any]] = {
    "name": ("mine", '"mine"', "mine"),
    "network": ("small", '"small"', "small"),
    "dropout": ("0.25", "0.25", 0.25),
    "optimizer": ("sgd", '"sgd"', "sgd"),
    "optimizer_options": ("{eps = 1e-6}", "{eps = 1e-6}", {"eps": 1e-6}),
    "momentum": ("0.9", "0.9", 0.9),
    "nesterov": ("true", "true", True),
    "beta1": ("0.8", "0.8", 0.8),
    "beta2": ("0.99", "0.99", 0.99),
    "learning_rate": ("1e-2", "1e-2", 0.01),
    "schedule": ("cosine", '"cosine"', "cosine"),
    "warmup": ("0", "0", 0.0),
    "decay_every": ("50", "50", 50),
    "decay_factor": ("0.5", "0.5", 0.5),
    "weight_decay": ("0.01", "0.01", 0.01),
    "label_smoothing": ("0.1", "0.1", 0.1),
    "augmentation": ("elastic", '"elastic"', "elastic"),
    "replay": ("0.5", "0.5", 0.5),
    "batch_size": ("50", "50", 50),
    "precision": ("bfloat16", '"bfloat16"', "bfloat16"),
    "steps": ("20_000", "20_000", 20_000),
    "log_every": ("10", "10", 10),
    "checkpoint_every": ("200", "200", 200),
}
"""Of each field: a value on the command line, in TOML and in Python."""


def written(tmp_path: Path, content: str, name: str = "mine.toml") -> str:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Recipe)])
def test_every_field_can_be_set_from_the_command_line_from_toml_and_from_python(
    field: str, tmp_path: Path
) -> None:
    setting, toml, value = SETTINGS[field]
    before, base = named("standard", name="mine"), 'base = "standard"\n'
    if field == "nesterov":  # needs a momentum
        before, base = dataclasses.replace(before, momentum=0.9), base + "momentum = 0.9\n"
    expected = dataclasses.replace(before, **{field: value})
    assert with_settings(before, dict([parse_setting(f"{field}={setting}")])) == expected
    assert load_recipe(written(tmp_path, f"{base}{field} = {toml}")) == expected
    assert getattr(expected, field) != getattr(before, field) or field == "name"


@pytest.mark.parametrize("name", RECIPES)
def test_a_named_recipe_comes_back_from_toml_equal(name: str, tmp_path: Path) -> None:
    assert load_recipe(name) == named(name)
    assert load_recipe(written(tmp_path, to_toml(named(name)))) == named(name)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": 'quo"te \\ back', "network": "größe:naïve"},
        {"name": "smile \N{GRINNING FACE}"},
        {"learning_rate": 1e-300, "weight_decay": 1e300, "steps": 1 << 53},
        {"optimizer_options": {"eps": 1e-8, "n": 3, "on": True, "mode": "a b", "l": [1, 0.5]}},
    ],
)
def test_any_recipe_comes_back_from_toml_equal(changes: dict[str, Any], tmp_path: Path) -> None:
    recipe = named("standard", **changes)
    assert load_recipe(written(tmp_path, to_toml(recipe))) == recipe


def test_a_recipe_is_called_after_its_file_unless_it_has_a_name(tmp_path: Path) -> None:
    assert load_recipe(written(tmp_path, 'base = "fast"', "quick.toml")).name == "quick"
    assert load_recipe(written(tmp_path, 'base = "fast"\nname = "x"', "quick.toml")).name == "x"


def test_a_file_needs_no_base(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, "learning_rate = 0.1\nsteps = 1_000"))
    assert recipe == Recipe(name="mine", learning_rate=0.1, steps=1000)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("steps = 10", 'mine.toml: learning_rate missing: give it, or base = "standard"'),
        ("", "mine.toml: learning_rate and steps missing"),
        ('base = "slow"', "mine.toml: base='slow': expected accurate, best, fast"),
        ('base = "standart"', "base='standart': did you mean standard"),
        ("base = 3", "mine.toml: base=3: expected"),
        (
            'base = "standard"\nlearning_rat = 0.1',
            r"mine.toml: no recipe field is called 'learning_rat' \(=0.1\): did you mean "
            "learning_rate.*batch_size",
        ),
        ('base = "standard"\nlr = 0.1', "'lr'.*did you mean learning_rate"),
        ('base = "standard"\nsteps = "many"', "mine.toml: recipe field steps='many': expected int"),
        ('base = "standard"\nsteps = 0', "mine.toml: recipe field steps=0: expected 1 to"),
        ('base = "standard"\nsteps = 2024-01-01', "mine.toml: recipe field steps=datetime"),
        ('base = "standard"\n[steps]\na = 1', "mine.toml: recipe field steps="),
        ("steps = ", "mine.toml is not a TOML file: Invalid value"),
        ("a = " + "[" * 5000, "mine.toml is not a TOML file: "),
        ("#" * (1 << 17), "mine.toml cannot be read: larger than the limit"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_file_field_and_value(
    content: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        load_recipe(written(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_or_not_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match=r"mine\.toml is not a TOML file"):
        load_recipe(str(tmp_path / "mine.toml"))
    with pytest.raises(RecipeError, match=r"none\.toml cannot be read: No such file"):
        load_recipe(str(tmp_path / "none.toml"))
    with pytest.raises(RecipeError, match="no recipe is called 'fats': did you mean fast"):
        load_recipe("fats")


def test_a_name_in_a_file_is_never_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boom.py").write_text("raise SystemExit('imported')")
    recipe = load_recipe(written(tmp_path, 'base = "fast"\naugmentation = "boom:f"'))
    assert recipe.augmentation == "boom:f"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nesterov=True", ("nesterov", True)),
        (" steps = 5 ", ("steps", 5)),
        ("name=a=b", ("name", "a=b")),
        ("optimizer_options.eps=1e-6", ("optimizer_options.eps", 1e-6)),
        ("optimizer_options.foreach=false", ("optimizer_options.foreach", False)),
        ("optimizer_options.adjust_lr_fn=original", ("optimizer_options.adjust_lr_fn", "original")),
        ("optimizer_options.betas=[0.9, 0.99]", ("optimizer_options.betas", [0.9, 0.99])),
        ("optimizer_options.x=1\ny=2", ("optimizer_options.x", "1\ny=2")),
    ],
)
def test_a_setting_is_read_in_the_fields_type(text: str, expected: tuple[str, Any]) -> None:
    field, value = parse_setting(text)
    assert (field, value) == expected
    assert type(value) is type(expected[1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps", "'steps' is not a setting: expected FIELD=VALUE"),
        ("steps=", "is not a setting"),
        ("=5", "no recipe field is called ''"),
        ("step=5", "'step'.*did you mean steps"),
        ("momentom=0.9", "did you mean momentum"),
        ("steps=2e3", "recipe field steps='2e3': expected a whole number"),
        ("dropout=low", "recipe field dropout='low': expected a number"),
        ("nesterov=1", "recipe field nesterov='1': expected true or false"),
        ("steps.a=1", "no recipe field is called 'steps.a': only optimizer_options has keys"),
        ("optimizer_options.=1", "no recipe field is called 'optimizer_options.'"),
    ],
)
def test_a_wrong_setting_is_one_line(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_setting(text)


def test_settings_are_applied_together_and_options_one_by_one() -> None:
    base = named("standard", optimizer_options={"eps": 1e-8, "amsgrad": True})
    changed = with_settings(
        base, {"momentum": 0.9, "nesterov": True, "optimizer_options.eps": 1e-6}
    )
    assert changed.optimizer_options == {"eps": 1e-6, "amsgrad": True}
    assert (changed.momentum, changed.nesterov) == (0.9, True)
    with pytest.raises(RecipeError, match="'inertia'"):
        with_settings(base, {"inertia": 1})


def test_a_grid_has_several_values_and_keeps_lists_whole() -> None:
    assert parse_grid("batch_size=50, 100") == ("batch_size", [50, 100])
    assert parse_grid("network=small") == ("network", ["small"])
    grid = parse_grid("optimizer_options.betas=[0.9,0.99],[0.8,0.9]")
    assert grid == ("optimizer_options.betas", [[0.9, 0.99], [0.8, 0.9]])
    with pytest.raises(RecipeError, match="'1,,2' lacks a value between two commas"):
        parse_grid("steps=1,,2")
