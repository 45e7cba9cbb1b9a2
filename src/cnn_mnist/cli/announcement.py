"""Show what is about to be trained, once nothing has refused it."""

from typing import TYPE_CHECKING

import click

from cnn_mnist.cli.output import layer_text

if TYPE_CHECKING:
    from cnn_mnist.data.dataset import Dataset
    from cnn_mnist.training.hooks import Hook, Start


def announcement(dataset: "Dataset") -> "Hook":
    """Return a hook that prints the network's layers and one line on the run at its beginning.

    Args:
        dataset: what the person named to train on.
    """
    from cnn_mnist.training.hooks import Hook

    class Announcement(Hook):
        def begin(self, start: "Start") -> None:
            _announce(start, dataset)

    return Announcement()


def _announce(start: "Start", dataset: "Dataset") -> None:
    from cnn_mnist.networks.build import build
    from cnn_mnist.networks.table import describe
    from cnn_mnist.networks.trace import layer_table

    recipe, done = start.recipe, start.first_step
    layers = layer_table(build(recipe, start.identity.classes))
    going_on = f", going on from step {done:,}" if done else ""
    click.echo(layer_text(describe(layers)), err=True)
    click.echo(
        f"\n{recipe.name} on {dataset.name} ({len(dataset.train):,} images), seed "
        f"{start.identity.seed}, to step {recipe.steps:,} in {start.run_dir}{going_on}",
        err=True,
    )
