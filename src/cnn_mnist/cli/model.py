"""The command `cnn-mnist model`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnn_mnist.cli.options import json_option
from cnn_mnist.cli.output import emit, layer_text
from cnn_mnist.cli.own_network import network_of_run, own_network_option, resolve_network
from cnn_mnist.errors import RunError, needs_extra

if TYPE_CHECKING:
    from cnn_mnist.networks.table import Layer


@click.command()
@click.argument("target", required=False, metavar="[NETWORK|R|MODEL.onnx]")
@own_network_option
@json_option
def model(target: str | None, network: str | None, as_json: bool) -> None:
    """Show the layers of a network: output shapes, parameters, FLOPs.

    The network is given by its name, as module:function or FILE.py:function, by a run, or a model
    file. Without an argument, the reference network is shown and the names of all networks are
    listed. FLOPs are the multiplications and additions of convolutions, dense layers and other
    matrix products for one image.
    """
    with needs_extra("train", "the layer table"):
        from cnn_mnist.export.graph import onnx_layers
        from cnn_mnist.networks import NETWORKS
        from cnn_mnist.networks.table import describe

    names = NETWORKS.names()
    if target is None or target in names or (":" in target and not Path(target).exists()):
        name = target or network
        layers = _network_layers(resolve_network(name) if name else None)
    elif Path(target).is_dir():
        layers = _run_layers(Path(target), network)
    else:
        network_of_run(network, Path(target))
        layers = onnx_layers(Path(target))
    described = describe(layers)
    emit(described, as_json=as_json, text=layer_text(described))
    if target is None and network is None:
        click.echo(f"networks: {', '.join(names)}", err=True)


def _network_layers(name: str | None) -> "list[Layer]":
    """Return the table of a network with ten classes; None is the reference network."""
    from cnn_mnist.networks.build import build
    from cnn_mnist.networks.trace import layer_table
    from cnn_mnist.recipe import named

    recipe = named("standard", network=name) if name else named("standard")
    return layer_table(build(recipe, classes=10))


def _run_layers(path: Path, network: str | None) -> "list[Layer]":
    """Return the table of a run's network.

    Raises:
        RunError: it is not a run, or has another network.
    """
    from cnn_mnist.networks.build import build
    from cnn_mnist.networks.trace import layer_table
    from cnn_mnist.runs.identity import require_identity
    from cnn_mnist.runs.run import Run

    identity = require_identity(Run(path))
    name = network_of_run(network, path)
    if name not in (None, identity.recipe.network):
        raise RunError(f"the network of {path} is {identity.recipe.network}, not {name}")
    return layer_table(build(identity.recipe, identity.classes))
