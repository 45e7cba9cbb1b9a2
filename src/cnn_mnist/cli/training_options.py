"""Define the flags of the commands that train, and turn their values into a recipe.

Wrong usage, exit code 2, is what the command line alone shows to be wrong: a flag or field that
there is not, a value of the wrong type or beyond its range. The name of something that does not
exist, be it a recipe, an optimizer or a module of the user's, is bad input, exit code 3.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import wraps
from itertools import product
from typing import Any

import click
from click.shell_completion import CompletionItem

from cnn_mnist.cli.options import Command, data_dir_option, data_option, json_option
from cnn_mnist.errors import RecipeError, needs_extra
from cnn_mnist.recipe import PRECISIONS, RECIPES, Recipe
from cnn_mnist.recipe_text import load_recipe, parse_grid, parse_setting, with_settings

_SHORTHANDS = ("network", "learning_rate", "batch_size", "dropout", "optimizer", "steps",
               "precision")  # fmt: skip
"""Recipe fields with a flag of their own."""


@dataclass(frozen=True, kw_only=True)
class RecipeFlags:
    """What the command line says about the recipe; None where it says nothing."""

    recipe_name: str | None
    settings: tuple[str, ...]
    """Each `FIELD=VALUE`."""
    network: str | None
    learning_rate: float | None
    batch_size: int | None
    epochs: float | None
    dropout: float | None
    optimizer: str | None
    steps: int | None
    precision: str | None

    def recipe(self, own: Recipe | None = None) -> Recipe:
        """Return the recipe that was asked for, all flags applied but `--epochs`.

        Args:
            own: the recipe of a run that is continued: the default.

        Raises:
            click.UsageError: a flag names no field, a value is of the wrong type or beyond its
                range, or two flags set the same field.
            RecipeError: there is no such recipe or part, the optimizer does not take its settings,
                or a file names a part of the user's own that no flag names.
        """
        changes = self._changes()
        recipe = _changed(self._base(own), changes)
        with needs_extra("train", "training"):
            from cnn_mnist.training.parts import require_known_parts
        require_known_parts(recipe)
        return recipe

    def with_epochs(self, recipe: Recipe, images: int) -> Recipe:
        """Return a recipe with the steps that make up `--epochs` of so many training images."""
        if self.epochs is None:
            return recipe
        return replace(recipe, steps=max(1, round(self.epochs * images / recipe.batch_size)))

    def without_grid(self) -> tuple["RecipeFlags", dict[str, list[Any]]]:
        """Return the flags with one value, and the values of each `--set` that has several.

        Raises:
            click.UsageError: see `recipe`; or steps are wanted for epochs of several batch sizes.
            RecipeError: there is no such part.
        """
        grid: dict[str, list[Any]] = {}
        single: list[str] = []
        for text in self.settings:
            field, values = _usage(parse_grid, text)
            if len(values) == 1:
                single.append(text)
                continue
            if field in grid:
                raise click.UsageError(f"{field} is set twice: list all of its values once")
            grid[field] = [_named(field, value) for value in values]
        if self.epochs is not None and not grid.keys().isdisjoint({"batch_size", "steps"}):
            raise click.UsageError("--epochs with several batch sizes or steps: give --steps only")
        rest = replace(self, settings=tuple(single))
        if twice := grid.keys() & rest._changes().keys():
            raise click.UsageError(f"{min(twice)} is set twice: list all of its values once")
        return rest, grid

    def _base(self, own: Recipe | None) -> Recipe:
        if self.recipe_name is None:
            return own or RECIPES["standard"]
        return load_recipe(self.recipe_name)

    def _changes(self) -> dict[str, Any]:
        """Return the value of each field that a flag sets."""
        changes: dict[str, Any] = {}
        given = [(name, getattr(self, name)) for name in _SHORTHANDS]
        given += [_usage(parse_setting, text) for text in self.settings]
        for field, value in given:
            if value is None:
                continue
            if field in changes:
                raise click.UsageError(f"{field} is set twice: say it once")
            changes[field] = _named(field, value)
        if self.epochs is not None and "steps" in changes:
            raise click.UsageError("--epochs and --steps exclude each other: give one of them")
        return changes


def require_grid(recipe: Recipe, grid: Mapping[str, Sequence[Any]]) -> None:
    """Raise `click.UsageError` where a combination of a grid has a value beyond its range."""
    for values in product(*grid.values()):
        _changed(recipe, dict(zip(grid, values, strict=True)))


def _changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Return a recipe with what flags change; its `RecipeError` is wrong usage."""
    try:
        return with_settings(recipe, changes)
    except RecipeError as error:
        raise click.UsageError(str(error)) from error


def _usage(function: Callable[[str], Any], text: str) -> Any:
    """Call a function with what `--set` says; its `RecipeError` is wrong usage."""
    try:
        return function(text)
    except RecipeError as error:
        raise click.BadParameter(str(error), param_hint="'--set'") from error


def _registries() -> Mapping[str, Any]:
    with needs_extra("train", "training"):
        from cnn_mnist.training.parts import REGISTRIES
    return REGISTRIES


def _named(field: str, value: Any) -> Any:
    """Return a field's value; the part that it names exists, and is imported where it must be.

    Raises:
        RecipeError: there is no such part.
    """
    registry = _registries().get(field)
    return registry.resolve(value) if registry and isinstance(value, str) else value


def _complete(_: object, __: object, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in RECIPES if name.startswith(incomplete)]


recipe_option = click.option(
    "--recipe",
    "recipe_name",
    metavar="NAME|FILE.toml",
    shell_complete=_complete,
    help="Recipe to train with; `cnn-mnist recipe list` lists the names.  [default: the run's own, "
    "or standard]",
)
set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Set a field of the recipe, such as momentum=0.9 or optimizer_options.eps=1e-6; "
    "repeatable. `cnn-mnist recipe show NAME` lists the fields.",
)
network_option = click.option(
    "--network",
    metavar="NAME|MODULE:FUNCTION",
    help="Network to train; `cnn-mnist model` lists the names. Your own: module:function or "
    "file.py:function.  [default: the recipe's]",
)
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    default="auto",
    show_default=True,
    help="Device to compute on; auto is cuda where there is a GPU, then mps (Apple's GPU), then "
    "cpu. On mps a resumed run is not equal bit for bit.",
)
shorthand_options = (
    click.option("--learning-rate", "--lr", type=float, metavar="RATE", help="Learning rate."),
    click.option("--batch-size", type=int, metavar="N", help="Images in a step."),
    click.option("--dropout", type=float, metavar="SHARE", help="Share that is dropped."),
    click.option("--optimizer", metavar="NAME", help="sgd, adam, muon, or a class of torch.optim."),
    click.option("--steps", type=click.IntRange(min=1), metavar="N", help="Step to end at."),
    click.option(
        "--epochs",
        type=click.FloatRange(min=0, min_open=True),
        metavar="N",
        help="Passes over the training images to end at, instead of --steps.",
    ),
    click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        help="dtype of forward and backward; bfloat16 is faster where the processor or the GPU "
        "supports it.",
    ),
)
"""For the settings that are changed most; the default is the recipe's."""


def training_options(command: Command) -> Command:
    """Add the flags that `train` and `trials` share; those on the recipe come as one `flags`."""
    names = [field.name for field in fields(RecipeFlags)]

    @wraps(command)
    def with_flags(**options: Any) -> None:
        flags = RecipeFlags(**{name: options.pop(name) for name in names})
        command(flags=flags, **options)

    decorated: Any = with_flags
    for option in reversed(
        (
            recipe_option,
            set_option,
            network_option,
            data_option,
            data_dir_option,
            *shorthand_options,
            device_option,
            json_option,
        )
    ):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]
