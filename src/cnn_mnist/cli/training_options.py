"""Define the flags of the commands that train, and turn their values into a recipe."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from cnn_mnist.cli.options import data_dir_option, data_option, json_option
from cnn_mnist.errors import RecipeError, needs_extra
from cnn_mnist.recipe import PRECISIONS, RECIPES, Recipe

Command = TypeVar("Command", bound=Callable[..., None])


class _Network(click.ParamType[str]):
    """A network's name, or `module:function` of the user's own."""

    name = "network"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        with needs_extra("train", "a network"):
            import torch  # noqa: F401 - so that a missing torch is reported as the extra `train`

            from cnn_mnist.networks import NETWORKS
        try:
            NETWORKS.resolve(value)
        except RecipeError as error:
            self.fail(str(error), param, ctx)
        return value


recipe_option = click.option(
    "--recipe",
    "recipe_name",
    type=click.Choice(list(RECIPES)),
    help="Recipe to train with.  [default: the run's own, or standard]",
)
network_option = click.option(
    "--network",
    type=_Network(),
    metavar="NAME|MODULE:FUNCTION",
    help="Network to train; `cnn-mnist model` lists the names.  [default: the recipe's]",
)
steps_option = click.option(
    "--steps",
    type=click.IntRange(min=1),
    metavar="N",
    help="Step to end at.  [default: the recipe's]",
)
precision_option = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="dtype of forward and backward; bfloat16 is faster where the processor or the GPU "
    "supports it.  [default: the recipe's]",
)
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Device to compute on; auto is cuda where there is a GPU.",
)


def training_options(command: Command) -> Command:
    """Add the flags that `train` and `trials` share."""
    for option in reversed(
        (
            recipe_option,
            network_option,
            data_option,
            data_dir_option,
            steps_option,
            precision_option,
            device_option,
            json_option,
        )
    ):
        command = option(command)
    return command


def changed(
    recipe: Recipe, network: str | None, steps: int | None, precision: str | None
) -> Recipe:
    """Return a recipe with the fields that were given replaced."""
    given: dict[str, Any] = {"network": network, "steps": steps, "precision": precision}
    return replace(recipe, **{field: value for field, value in given.items() if value is not None})


def default_run_dir(recipe: Recipe, dataset: str, last: str) -> Path:
    """Return the run directory of a command without `--run-dir`; always the same for its flags."""
    named = RECIPES[recipe.name]
    fields = (recipe.network, named.network), (recipe.precision, named.precision)
    changes = [ours.replace(":", "-") for ours, default in fields if ours != default]
    return Path("runs", "-".join([recipe.name, *changes, dataset, last]))
