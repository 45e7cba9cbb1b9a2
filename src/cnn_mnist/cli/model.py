"""`cnn-mnist model`."""

from pathlib import Path

import click

from cnn_mnist.cli.options import emit, json_option, layer_table
from cnn_mnist.errors import RunError, needs_extra
from cnn_mnist.recipe import NETWORKS


@click.command()
@click.argument("target", default="cnn", metavar="[NETWORK|R|MODEL.onnx]")
@json_option
def model(target: str, as_json: bool) -> None:
    """Show the layers of a network: shapes, parameters, FLOPs.

    Of a named network (cnn, cnn-bn, deep, softmax, small), a run, or a model file. FLOPs are those
    of the convolutions and dense layers for one image.
    """
    from cnn_mnist.recipe import named
    from cnn_mnist.run import Run, read_identity

    with needs_extra("train", "the layer table"):
        from cnn_mnist.export import onnx_layers
        from cnn_mnist.model import build, describe, layers

    if target in NETWORKS:
        table = layers(build(named("standard", network=target), classes=10))
    elif Path(target).is_dir():
        identity = read_identity(Run(Path(target)))
        if identity is None:
            raise RunError(f"{target} is no run directory: it has no recipe.json")
        table = layers(build(identity.recipe, identity.classes))
    else:
        table = onnx_layers(Path(target))
    described = describe(table)
    emit(described, as_json=as_json, text=layer_table(described))
