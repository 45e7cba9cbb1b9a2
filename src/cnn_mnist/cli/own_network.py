"""Define the flag that names a run's network where it is the user's own."""

from pathlib import Path

import click

from cnn_mnist.errors import needs_extra

own_network_option = click.option(
    "--network",
    metavar="MODULE:FUNCTION",
    help="The run's network, where it is your own: module:function or FILE.py:function.",
)
own_networks_option = click.option(
    "--network",
    "networks",
    multiple=True,
    metavar="MODULE:FUNCTION",
    help="The network of a run, where it is your own: module:function or FILE.py:function; may be "
    "repeated.",
)
"""For commands that take several runs."""


def resolve_network(text: str) -> str:
    """Import a network that `--network` names, and return its name in a recipe.

    Raises:
        RecipeError: there is no such network.
    """
    with needs_extra("train", "a network"):
        import torch  # noqa: F401 - so that the user's module is not blamed for a missing torch
    from cnn_mnist.networks import NETWORKS

    return NETWORKS.resolve(text)


def network_of_run(text: str | None, path: Path | None) -> str | None:
    """Return the name of a run's network, for a command that takes a run or a model file.

    Raises:
        click.UsageError: the path is not a run directory.
        RecipeError: there is no such network.
    """
    if text is None:
        return None
    if path is None or not path.is_dir():
        raise click.UsageError("--network is for a run directory: a model file holds its network")
    return resolve_network(text)
