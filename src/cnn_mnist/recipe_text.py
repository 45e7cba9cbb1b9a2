"""Read and write recipes as text: TOML files, and settings such as `learning_rate=0.01`.

Reading never imports anything: a name such as `my_module:function` stays a name.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from cnn_mnist.errors import RecipeError, os_errors_as
from cnn_mnist.files import read_bounded
from cnn_mnist.recipe import RECIPES, Recipe, named, parse_toml

_MAX_BYTES: Final = 1 << 16
_OPTIONS: Final = "optimizer_options"
FIELDS: Final = {field.name: field.type for field in fields(Recipe)}
"""The type of each field."""
SPELLINGS: Final = {
    "aug": "augmentation",
    "augment": "augmentation",
    "data_augmentation": "augmentation",
    "bs": "batch_size",
    "save_every": "checkpoint_every",
    "save_steps": "checkpoint_every",
    "gamma": "decay_factor",
    "step_size": "decay_every",
    "drop_rate": "dropout",
    "dropout_rate": "dropout",
    "lr": "learning_rate",
    "arch": "network",
    "model": "network",
    "opt": "optimizer",
    "optim": "optimizer",
    "dtype": "precision",
    "learning_rate_schedule": "schedule",
    "lr_schedule": "schedule",
    "lr_scheduler": "schedule",
    "scheduler": "schedule",
    "iterations": "steps",
    "max_steps": "steps",
    "num_steps": "steps",
    "train_steps": "steps",
    "warm_up": "warmup",
    "warmup_ratio": "warmup",
    "wd": "weight_decay",
}
"""Names of fields in use elsewhere, and what they are called here."""


def load_recipe(name_or_path: str) -> Recipe:
    """Return a named recipe, or the one in a file whose name ends in `.toml`.

    A file holds the recipe's fields, and may begin with those of a named one: `base = "standard"`.
    A recipe whose file does not name it is called after the file.

    Raises:
        RecipeError: no recipe has this name; or the file cannot be read, is not TOML, has an
            unknown field or an impossible value. The line names file, field and value.
    """
    if name_or_path in RECIPES:
        return named(name_or_path)
    path = Path(name_or_path)
    if path.suffix != ".toml":
        raise RecipeError(
            f"no recipe is called {name_or_path!r}: {_suggest(name_or_path, list(RECIPES))}, or "
            "a file with a name in .toml"
        )
    with os_errors_as(RecipeError, f"{path} cannot be read"):
        content = read_bounded(path, _MAX_BYTES)
    try:
        values = parse_toml(content.decode("utf-8"))
    except ValueError as error:
        raise RecipeError(f"{path} is not a TOML file: {error}") from error
    try:
        return _from_values({"name": path.stem} | values)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def _from_values(values: dict[str, Any]) -> Recipe:
    """Return the recipe that a file's values make, its base included."""
    base = values.pop("base", None)
    for field, value in values.items():
        _require_field(field, value)
    if base is None:
        if missing := [field for field in ("learning_rate", "steps") if field not in values]:
            raise RecipeError(f'{" and ".join(missing)} missing: give it, or base = "standard"')
        return Recipe.from_dict(values)
    if not isinstance(base, str) or base not in RECIPES:
        raise RecipeError(f"base={base!r:.100}: {_suggest(str(base), list(RECIPES))}")
    return Recipe.from_dict(named(base).to_dict() | values)


def to_toml(recipe: Recipe) -> str:
    """Return a recipe as TOML, from which `load_recipe` makes the same recipe."""
    values = recipe.to_dict()
    options = values.pop(_OPTIONS)
    lines = [f"{field} = {_toml(value)}" for field, value in values.items()]
    lines += ["", f"[{_OPTIONS}]", *(f"{key} = {_toml(options[key])}" for key in options)]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """Return a number, a boolean, printable text or a list of those as TOML."""
    # JSON is TOML for these, but for signs that it would write as two halves
    return json.dumps(value, ensure_ascii=False)


def parse_setting(text: str) -> tuple[str, Any]:
    """Return field and value of `FIELD=VALUE`, the value in the field's type.

    A dot leads into the options: `optimizer_options.eps=1e-6`. Their values are written as in TOML,
    where text needs no quotes.

    Raises:
        RecipeError: not of this form, no such field, or the value is not of its type.
    """
    field, value = _split(text)
    return field, _value(field, value)


def parse_grid(text: str) -> tuple[str, list[Any]]:
    """Return field and values of `FIELD=VALUE,VALUE,...`; see `parse_setting`.

    A comma in brackets or braces belongs to its value: `optimizer_options.eps=[0.1,0.2],[1,2]`.

    Raises:
        RecipeError: see `parse_setting`; or a value is empty.
    """
    field, values = _split(text)
    return field, [_value(field, value) for value in _at_commas(values)]


def with_settings(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """Return a recipe with some fields replaced; `optimizer_options.KEY` replaces one option.

    Raises:
        RecipeError: no such field, or an impossible value.
    """
    values = recipe.to_dict()
    for field, value in settings.items():
        _require_field(field, value)
        table, dot, key = field.partition(".")
        values[table] = values[table] | {key: value} if dot else value
    return Recipe.from_dict(values)


def _require_field(field: str, value: object) -> None:
    """Raise `RecipeError` where a recipe has no such field, or the field no keys."""
    table, dot, key = field.partition(".")
    if table not in FIELDS:
        fields_are = _suggest(table, list(FIELDS))
        raise RecipeError(f"no recipe field is called {table!r} (={value!r:.100}): {fields_are}")
    if dot and (table != _OPTIONS or not key):
        raise RecipeError(f"no recipe field is called {field!r}: only {_OPTIONS} has keys")


def _suggest(name: str, known: Sequence[str]) -> str:
    """Return the near miss, if there is one, and all that is known."""
    usual = SPELLINGS.get(name)
    near = [usual] if usual in known else get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}expected {', '.join(known)}"


def _split(text: str) -> tuple[str, str]:
    """Return field and value of `FIELD=VALUE` as text; the field exists."""
    field, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not value:
        raise RecipeError(f"{text!r:.100} is not a setting: expected FIELD=VALUE")
    _require_field(field, value)
    return field, value


def _value(field: str, text: str) -> Any:
    """Return a field's value from its text, in the field's type."""
    kind = FIELDS.get(field)
    if kind is str:
        return text
    if kind is bool:
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        raise RecipeError(f"recipe field {field}={text!r:.100}: expected true or false")
    if kind in (int, float):
        try:
            return int(text) if kind is int else float(text)
        except ValueError:
            expected = "a whole number" if kind is int else "a number"
            raise RecipeError(f"recipe field {field}={text!r:.100}: expected {expected}") from None
    return _option(text)


def _option(text: str) -> Any:
    """Return a TOML value; text that is none is itself."""
    try:
        values = parse_toml(f"option = {text}")
    except ValueError:
        return text
    return values["option"] if len(values) == 1 else text


def _at_commas(text: str) -> list[str]:
    """Split at the commas that are in no brackets.

    Raises:
        RecipeError: nothing stands between two commas.
    """
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "[{") - (sign in "]}")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    if not all(part.strip() for part in parts):
        raise RecipeError(f"{text!r:.100} lacks a value between two commas")
    return [part.strip() for part in parts]
