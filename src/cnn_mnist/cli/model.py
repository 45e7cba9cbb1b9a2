"""The command `cnn-mnist model`."""

from pathlib import Path

import click

from cnn_mnist.cli.options import json_option
from cnn_mnist.cli.output import emit, layer_text
from cnn_mnist.errors import needs_extra


@click.command()
@click.argument("target", required=False, metavar="[NETWORK|R|MODEL.onnx]")
@json_option
def model(target: str | None, as_json: bool) -> None:
    """Show the layers of a network: output shapes, parameters, FLOPs.

    The network is given by its name, a run, or a model file. Without an argument, the reference
    network is shown and the names of all networks are listed. FLOPs are the multiplications and
    additions of convolutions and dense layers for one image.
    """
    from cnn_mnist.recipe import named
    from cnn_mnist.runs.identity import require_identity
    from cnn_mnist.runs.run import Run

    with needs_extra("train", "the layer table"):
        from cnn_mnist.export.graph import onnx_layers
        from cnn_mnist.networks import NETWORKS
        from cnn_mnist.networks.build import build
        from cnn_mnist.networks.table import describe
        from cnn_mnist.networks.trace import layer_table

    names = NETWORKS.names()
    if target is None or target in names:
        recipe = named("standard") if target is None else named("standard", network=target)
        layers = layer_table(build(recipe, classes=10))
    elif Path(target).is_dir():
        identity = require_identity(Run(Path(target)))
        layers = layer_table(build(identity.recipe, identity.classes))
    else:
        layers = onnx_layers(Path(target))
    described = describe(layers)
    emit(described, as_json=as_json, text=layer_text(described))
    if target is None:
        click.echo(f"networks: {', '.join(names)}", err=True)
