"""The command `cnn-mnist predict`."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnn_mnist.cli.options import FILE, PNG_FILE, json_option, model_file, model_option
from cnn_mnist.cli.output import table
from cnn_mnist.errors import CnnMnistError, ImageError

if TYPE_CHECKING:
    from cnn_mnist.inference.model import Model
    from cnn_mnist.reading.result import Reading

_PAGE = 1000
"""Images of a table's page: its columns are as wide as they need."""

_COLUMNS = ("file", "line", "class", "probability", "left", "top", "right", "bottom", "reason")


@click.command()
@click.argument("files", type=FILE, nargs=-1, required=True, metavar="FILE...")
@model_option
@click.option("--lines", is_flag=True, help="Break the text where the picture has a new row.")
@click.option(
    "--explain",
    "sheet",
    type=PNG_FILE,
    metavar="OUT.png",
    help="Draw the one picture with its boxes, each digit's 28x28 form and its probabilities.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print a line for each digit, with a header.")
@json_option
def predict(
    files: tuple[Path, ...],
    model_path: Path | None,
    lines: bool,
    sheet: Path | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Read the digits in pictures and arrays.

    FILE is a picture (.png .jpg .bmp .gif .webp .tif), a folder of pictures, a pattern such as
    'scans/*.png', - for a picture on standard input, or an array of 28x28 images (.npy, or IDX as
    MNIST's own files). What is no digit is marked ? and left out of the text. A file that cannot be
    read is reported, the others are read all the same, and the exit code is 3.
    """
    from cnn_mnist.inference.model import Model

    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other")
    model = Model(model_file(model_path))
    found = list(_expand(files))
    if sheet and (len(found) != 1 or _is_array(found[0])):
        raise click.UsageError(f"--explain draws one picture, not {len(found)} files or an array")
    failures: list[dict[str, str]] = []
    readings = _readings(model, found, sheet, failures)
    separator = "\n" if lines else ""
    if as_json:
        _print_json(readings, failures, separator)
    elif as_csv:
        _print_csv(readings)
    else:
        _print_table(readings, separator)
    if failures:
        raise click.exceptions.Exit(ImageError.exit_code)


def _readings(
    model: "Model", files: Sequence[Path], sheet: Path | None, failures: list[dict[str, str]]
) -> Iterator[tuple[str, "Reading"]]:
    """The name and the reading of each image; files that cannot be read are added to `failures`."""
    for file in _with_progress(files):
        try:
            yield from _read(model, file, sheet)
        except CnnMnistError as error:
            failures.append({"file": str(file), "error": str(error)})
            click.echo(f"error: {error}", err=True)


def _expand(files: Sequence[Path]) -> Iterator[Path]:
    """The files; folders and patterns replaced by the pictures that they name."""
    from cnn_mnist.reading.decode import SUFFIXES

    for file in files:
        if file.is_dir():
            yield from sorted(path for path in file.rglob("*") if path.suffix.lower() in SUFFIXES)
        elif any(sign in str(file) for sign in "*?[") and not file.exists():
            # a pattern that no shell has replaced
            below = str(file.relative_to(file.anchor))
            yield from sorted(Path(file.anchor).glob(below)) or [file]
        else:
            yield file


def _with_progress(files: Sequence[Path]) -> Iterable[Path]:
    """The files, with a bar on standard error if there are several and somebody looks."""
    if len(files) < 2 or not sys.stderr.isatty():
        return files
    from rich.console import Console
    from rich.progress import track

    return track(files, "reading", console=Console(stderr=True), transient=True)


def _is_array(file: Path) -> bool:
    return file.suffix == ".npy" or "ubyte" in file.name or ".idx" in file.name


def _read(model: "Model", file: Path, sheet: Path | None) -> Iterator[tuple[str, "Reading"]]:
    """The name and the reading of each image in a file."""
    from cnn_mnist.reading.arrays import read_array
    from cnn_mnist.reading.reader import read
    from cnn_mnist.reading.result import Reading

    if _is_array(file):
        for number, digit in enumerate(read_array(model, file)):
            yield f"{file}#{number}", Reading(lines=((digit,),))
        return
    picture = sys.stdin.buffer.read() if str(file) == "-" else file
    reading = read(picture, model)
    if sheet:
        from cnn_mnist.reading.decode import decode
        from cnn_mnist.reading.explain import draw_reading

        draw_reading(reading, decode(picture), sheet)
    yield str(file), reading


def _print_json(
    readings: Iterable[tuple[str, "Reading"]], failures: list[dict[str, str]], separator: str
) -> None:
    """One line, written piece by piece: a million images need no more memory than one."""
    click.echo('{"images": [', nl=False)
    for number, (name, reading) in enumerate(readings):
        piece = json.dumps({"file": name, **reading.to_dict(separator)})
        click.echo(f", {piece}" if number else piece, nl=False)
    click.echo(f'], "errors": {json.dumps(failures)}}}')


def _print_csv(readings: Iterable[tuple[str, "Reading"]]) -> None:
    """A line for each digit; no class where it is none. A picture without any has no line."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for name, reading in readings:
        for number, line in enumerate(reading.lines, start=1):
            for digit in line:
                class_ = "" if digit.class_ is None else digit.class_
                shares = f"{digit.probability:.6f}", *digit.box, digit.reason or ""
                writer.writerow([name, number, class_, *shares])


def _print_table(readings: Iterable[tuple[str, "Reading"]], separator: str) -> None:
    """File, text, and the probability of each digit; a page at a time, each with its own head."""
    pages = iter(readings)
    while page := list(islice(pages, _PAGE)):
        rows = [["file", "text", "probabilities"]]
        for name, reading in page:
            texts = reading.text_lines if separator else [reading.text]
            shares = " ".join(
                "?" if digit.class_ is None else f"{digit.probability:.1%}"
                for digit in reading.digits
            )
            for number, text in enumerate(texts or [""]):
                first = number == 0
                rows.append([name if first else "", text or "no digit", shares if first else ""])
        click.echo(table(rows, left=3))
