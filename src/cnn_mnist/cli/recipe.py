"""The command `cnn-mnist recipe`."""

from pathlib import Path

import click

from cnn_mnist.cli.options import json_option
from cnn_mnist.cli.output import emit, table
from cnn_mnist.recipe import RECIPES, Recipe
from cnn_mnist.recipe_text import load_recipe, to_toml


@click.group()
def recipe() -> None:
    """List and show recipes: everything that decides how a network is trained."""


@recipe.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the recipes that have a name."""
    rows = [["recipe", "network", "optimizer", "learning rate", "batch", "steps"]]
    rows += [
        [
            *(name, each.network, each.optimizer, f"{each.learning_rate:g}"),
            *(f"{each.batch_size:,}", f"{each.steps:,}"),
        ]
        for name, each in RECIPES.items()
    ]
    result = {"recipes": [each.to_dict() for each in RECIPES.values()]}
    emit(result, as_json=as_json, text=table(rows, left=3))


@recipe.command()
@click.argument("source", metavar="NAME|FILE.toml|R")
@json_option
def show(source: str, as_json: bool) -> None:
    """Show a recipe, or that of a run, as TOML that `train --recipe FILE.toml` takes."""
    found = _recipe(source)
    emit(found.to_dict(), as_json=as_json, text=to_toml(found).rstrip("\n"))


def _recipe(source: str) -> Recipe:
    path = Path(source)
    if source in RECIPES or not path.is_dir():
        return load_recipe(source)
    from cnn_mnist.runs.identity import require_identity
    from cnn_mnist.runs.run import Run

    return require_identity(Run(path)).recipe
