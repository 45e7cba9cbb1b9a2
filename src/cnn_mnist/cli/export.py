"""The command `cnn-mnist export`."""

from pathlib import Path

import click

from cnn_mnist.cli.options import FILE, data_dir_option, data_option, json_option, load_data
from cnn_mnist.cli.output import emit
from cnn_mnist.errors import needs_extra


@click.command()
@click.argument("run_dir", type=FILE, metavar="R")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["onnx", "keras", "savedmodel", "tflite", "checkpoint"]),
    default="onnx",
    show_default=True,
    help="Format of the export; all but onnx need TensorFlow. `cnn-mnist import` reads checkpoint.",
)
@click.option("--output", type=FILE, metavar="P", help="File or folder to write.  [default: in R]")
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
@json_option
def export(
    run_dir: Path,
    format_: str,
    output: Path | None,
    triton: bool,
    calibrated: bool,
    weights: str,
    arithmetic: str,
    data: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Export a run's network as an ONNX file, or for TensorFlow.

    The newest checkpoint is exported. The new file is opened again and compared with the checkpoint
    on every test image before it replaces an earlier file.
    """
    if format_ != "onnx" and weights != "float32":
        raise click.UsageError(f"--weights {weights} works with --format onnx only")
    if format_ != "onnx" and arithmetic != "float32":
        raise click.UsageError(f"--arithmetic {arithmetic} works with --format onnx only")
    if format_ != "onnx" and triton:
        raise click.UsageError("--triton works with --format onnx only")
    from cnn_mnist.export.triton import model_file, write_config
    from cnn_mnist.runs.identity import require_identity
    from cnn_mnist.runs.run import Run

    with needs_extra("train", "exporting"):
        from cnn_mnist.classifier import Classifier

    repository = output or run_dir / "triton"
    dataset = load_data(data, data_dir, require_identity(Run(run_dir)))
    result = Classifier(run_dir).export(
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
