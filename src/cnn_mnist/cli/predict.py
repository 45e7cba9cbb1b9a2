"""`cnn-mnist predict`."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnn_mnist.cli.options import FILE, emit, json_option
from cnn_mnist.errors import CnnMnistError, ImageError

if TYPE_CHECKING:
    from cnn_mnist.infer import Digit, Model


@click.command()
@click.argument("files", type=FILE, nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--model",
    "model_path",
    type=FILE,
    metavar="R|MODEL.onnx",
    help="A run directory or a model file.  [default: the model in the box]",
)
@json_option
def predict(files: tuple[Path, ...], model_path: Path | None, as_json: bool) -> None:
    """Read the digits in pictures and arrays.

    FILE is a picture (.png .jpg .bmp .gif .webp .tif), a folder of pictures, - for a picture on
    standard input, or an array of 28x28 images (.npy, or IDX as MNIST's own files). A file that
    cannot be read is reported, the others are read all the same, and the exit code is 3.
    """
    from cnn_mnist.infer import PRETRAINED, Model
    from cnn_mnist.run import Run

    path = model_path or PRETRAINED
    model = Model(Run(path).model_file if path.is_dir() else path)
    images: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    for file in _expand(files):
        try:
            for name, digits in _read(model, file):
                text = "".join(str(digit.class_) for digit in digits)
                images.append(
                    {"file": name, "text": text, "digits": [digit.to_dict() for digit in digits]}
                )
                if not as_json:
                    shares = ", ".join(f"{digit.probability:.1%}" for digit in digits)
                    click.echo(f"{name}: {text} ({shares})" if digits else f"{name}: no digit")
        except CnnMnistError as error:
            failures.append({"file": str(file), "error": str(error)})
            click.echo(f"error: {error}", err=True)
    if as_json:
        emit({"images": images, "errors": failures}, as_json=True, text="")
    if failures:
        raise click.exceptions.Exit(ImageError.exit_code)


def _expand(files: Sequence[Path]) -> Iterator[Path]:
    """The files, folders replaced by the pictures below them."""
    from cnn_mnist.image import SUFFIXES

    for file in files:
        if file.is_dir():
            yield from sorted(path for path in file.rglob("*") if path.suffix.lower() in SUFFIXES)
        else:
            yield file


def _read(model: "Model", file: Path) -> Iterator[tuple[str, list["Digit"]]]:
    """The name and the digits of each image in a file."""
    from cnn_mnist.infer import read, read_array

    if str(file) == "-":
        yield "-", read(model, sys.stdin.buffer.read())
    elif file.suffix == ".npy" or "ubyte" in file.name or ".idx" in file.name:
        for number, digit in enumerate(read_array(model, file)):
            yield f"{file}#{number}", [digit]
    else:
        yield str(file), read(model, file)
