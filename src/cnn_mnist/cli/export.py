"""The command `cnn-mnist export`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnn_mnist.cli.options import FILE, data_dir_option, data_option, json_option, load_data
from cnn_mnist.cli.output import emit
from cnn_mnist.cli.own_network import network_of_run, own_network_option
from cnn_mnist.errors import needs_extra

if TYPE_CHECKING:
    from cnn_mnist.runs.identity import Identity


@click.command()
@click.argument("source", type=FILE, metavar="[R|MODEL.onnx]", required=False)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["onnx", "keras", "savedmodel", "tflite", "checkpoint"]),
    default="onnx",
    show_default=True,
    help="Format of the export; all but onnx need TensorFlow. `cnn-mnist import` reads checkpoint.",
)
@click.option(
    "--output",
    type=FILE,
    metavar="P",
    help="File or folder to write.  [default: in R, or here for a model file]",
)
@click.option(
    "--triton",
    is_flag=True,
    help="Write a Triton model repository to P: the model and its config.pbtxt. For onnx only.",
)
@click.option(
    "--calibrated",
    is_flag=True,
    help="Calibrate the probabilities on the validation images by a temperature in the network.",
)
@click.option(
    "--weights",
    type=click.Choice(["float32", "int8"]),
    default="float32",
    show_default=True,
    help="How the weights are stored; int8 makes the file a quarter of the size. For onnx only.",
)
@click.option(
    "--arithmetic",
    type=click.Choice(["float32", "int8"]),
    default="float32",
    show_default=True,
    help="How the network computes; int8 is twice as fast in a quarter of the size, with scales "
    "from training images. For onnx only.",
)
@data_option
@data_dir_option
@own_network_option
@json_option
def export(
    source: Path | None,
    format_: str,
    output: Path | None,
    triton: bool,
    calibrated: bool,
    weights: str,
    arithmetic: str,
    data: str | None,
    data_dir: Path | None,
    network: str | None,
    as_json: bool,
) -> None:
    """Export a network as an ONNX file, or for TensorFlow.

    Exports a run's best or newest checkpoint, a model file of cnn-mnist, or without an argument the
    bundled model. The new file is opened again and compared with its source on every test image
    before it replaces an earlier file. A variant gets a name of its own, such as R/model-int8.onnx.
    """
    _require_onnx(format_, weights=weights, arithmetic=arithmetic, triton=triton)
    from cnn_mnist.export.triton import model_file, write_config

    write, identity, folder = _writer(source, network_of_run(network, source))
    repository = output or folder / "triton"
    dataset = load_data(data, data_dir, identity)
    result = write(
        dataset.test.images,
        format_=format_,
        path=model_file(repository) if triton else output,
        calibration=dataset.validation if calibrated else None,
        weights=weights,
        scales=dataset.train.images if arithmetic == "int8" else None,
    )
    if triton:
        result["config"] = str(write_config(repository))
    emit(
        result,
        as_json=as_json,
        text=f"{result['path']}: {result['n'] - result['changed']:,} of {result['n']:,} classes "
        f"equal, logits within {result['max_abs_diff']:.1e}",
    )


def _require_onnx(format_: str, *, weights: str, arithmetic: str, triton: bool) -> None:
    """Refuse flags that only ONNX files have."""
    for flag, given in (
        (f"--weights {weights}", weights != "float32"),
        (f"--arithmetic {arithmetic}", arithmetic != "float32"),
        ("--triton", triton),
    ):
        if given and format_ != "onnx":
            raise click.UsageError(f"{flag} works with --format onnx only")


def _writer(
    source: Path | None, network: str | None
) -> "tuple[Callable[..., dict[str, Any]], Identity | None, Path]":
    """Return what exports a run, a model file or the bundled model, its identity and its folder."""
    with needs_extra("train", "exporting"):
        from cnn_mnist.classifier import Classifier
        from cnn_mnist.export.from_onnx import load_network
        from cnn_mnist.export.network import export_network
    from cnn_mnist.inference.model import BUNDLED
    from cnn_mnist.runs.identity import require_identity
    from cnn_mnist.runs.run import Run

    if source and source.is_dir():
        classifier = Classifier(source, network=network)
        return classifier.export, require_identity(Run(source)), source
    model, metadata = load_network(source or BUNDLED)
    stem = source.stem if source else "cnn-mnist"
    return partial(export_network, model, metadata, folder=Path(), stem=stem), None, Path()
