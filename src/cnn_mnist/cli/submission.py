"""Write the predictions for Kaggle's `test.csv` in the form that Kaggle takes: `ImageId,Label`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnn_mnist.cli.output import emit
from cnn_mnist.errors import ExportError, os_errors_as
from cnn_mnist.files import replace

if TYPE_CHECKING:
    from cnn_mnist.inference.model import Model


def write_submission(model: "Model", files: Sequence[Path], out: Path, *, as_json: bool) -> None:
    """Classify the images of a CSV file, write a row for each, and print how many.

    Args:
        model: the network.
        files: the one CSV file.
        out: the file to create or replace, in one step.
        as_json: whether the number is printed as JSON.

    Raises:
        UsageError: `files` are not one CSV file, or `out` is not one.
        DataError: the CSV file cannot be read.
        ExportError: `out` cannot be written.
    """
    if len(files) != 1 or {path.suffix.lower() for path in (*files, out)} != {".csv"}:
        raise click.UsageError(
            "--out writes a submission: cnn-mnist predict test.csv --out submission.csv"
        )
    from cnn_mnist.reading.arrays import read_array

    rows = [f"{number},{digit.name}" for number, digit in enumerate(read_array(model, files[0]), 1)]
    with os_errors_as(ExportError, f"{out} cannot be written"):
        replace(out, "\n".join(["ImageId,Label", *rows, ""]).encode())
    text = f"{out}: {len(rows):,} predictions"
    emit({"path": str(out), "n": len(rows)}, as_json=as_json, text=text)
