"""The command `cnn-mnist predict`."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnn_mnist.cli.options import FILE, PNG_FILE, json_option, model_file, model_option
from cnn_mnist.cli.output import printable
from cnn_mnist.cli.readings import print_csv, print_fields, print_json, print_table
from cnn_mnist.cli.submission import write_submission
from cnn_mnist.errors import CnnMnistError, ImageError

if TYPE_CHECKING:
    from cnn_mnist.inference.model import Model
    from cnn_mnist.reading.reader import How
    from cnn_mnist.reading.result import Reading


@click.command()
@click.argument("files", type=FILE, nargs=-1, required=True, metavar="FILE...")
@model_option
@click.option(
    "--lines", is_flag=True, help="Start a new line of text for each row of digits in the image."
)
@click.option(
    "--fields",
    is_flag=True,
    help="Read the fields of a form or a table, row by row, and nothing else.",
)
@click.option("--digits-only", is_flag=True, help="Leave out signs, such as the point in 3.14.")
@click.option(
    "--whole",
    is_flag=True,
    help="Do not look for digits: each image is one as it is, light on dark like MNIST's, or shows "
    "one thing of the model's classes.",
)
@click.option(
    "--explain",
    "sheet",
    type=PNG_FILE,
    metavar="OUT.png",
    help="Draw how the image was read: boxes, each digit as 28x28 pixels, probabilities. For one "
    "FILE only.",
)
@click.option(
    "--csv",
    "as_csv",
    is_flag=True,
    help="Print a CSV header and one line per candidate digit; with --fields, per field.",
)
@click.option(
    "--out",
    type=FILE,
    metavar="OUT.csv",
    help="Of one CSV file of pixels, such as Kaggle's test.csv, write a submission: ImageId,Label.",
)
@json_option
def predict(
    files: tuple[Path, ...],
    model_path: Path | None,
    lines: bool,
    fields: bool,
    digits_only: bool,
    whole: bool,
    sheet: Path | None,
    as_csv: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Read the digits in images and arrays.

    FILE is an image (.png .jpg .bmp .gif .webp .tif .avif; .heic and .pdf with an extra), a folder
    of images, a pattern such as 'scans/*.png', - for an image on standard input, or an array of
    28x28 images (.npy, .csv of pixels, or IDX, the format of MNIST's files). Pages and frames are
    read as FILE#1, FILE#2 and so on. The signs . , - + / : = x are read where they stand in a
    number or a sum. What is not a digit is shown as ? and left out of the text, and so are lines
    of words. If a file cannot be read, its error is printed, the other files are read, and the exit
    code is 3.
    """
    from cnn_mnist.inference.model import Model
    from cnn_mnist.reading.reader import How

    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other: give one of them")
    if whole and (fields or digits_only):
        raise click.UsageError("--whole looks for nothing: leave out --fields and --digits-only")
    path = model_file(model_path)
    if out:
        write_submission(Model(path), files, out, as_json=as_json)
        return
    failures: list[dict[str, str]] = []
    found = list(_expand(files, failures))
    model = Model(path, threads=0 if any(map(_is_array, found)) else 1)
    if sheet and (len(found) != 1 or _is_array(found[0])):
        raise click.UsageError("--explain draws one image: give one image file")
    how = How(fields=fields, digits_only=digits_only, whole=whole)
    readings = _readings(model, found, how, sheet, failures)
    if as_json:
        print_json(readings, failures, lines=lines)
    elif as_csv and fields:
        print_fields(readings)
    elif as_csv:
        print_csv(readings, model.class_names)
    else:
        print_table(readings, model.class_names, lines=lines)
    if failures:
        raise click.exceptions.Exit(ImageError.exit_code)


def _readings(
    model: "Model",
    files: Sequence[Path],
    how: "How",
    sheet: Path | None,
    failures: list[dict[str, str]],
) -> Iterator[tuple[str, "Reading"]]:
    """Yield the name and the reading of each image; add files that cannot be read to `failures`."""
    for file in _with_progress(files):
        try:
            yield from _read(model, file, how, sheet)
        except CnnMnistError as error:
            _fail(file, str(error), failures)


def _fail(file: Path, error: str, failures: list[dict[str, str]]) -> None:
    """Print an error, and add it to `failures`."""
    failures.append({"file": str(file), "error": error})
    click.echo(f"error: {printable(error)}", err=True)


def _expand(files: Sequence[Path], failures: list[dict[str, str]]) -> Iterator[Path]:
    """Yield the files, with folders and patterns replaced by the images that they name.

    A folder without images is added to `failures`. macOS's companions (`._photo.jpg`) are no
    images, whatever their suffix.
    """
    from cnn_mnist.reading.decode import IMAGE_SUFFIXES

    for file in files:
        if file.is_dir():
            inside = [path for path in _visible(file.rglob("*")) if not path.is_dir()]
            images = [path for path in inside if path.suffix.lower() in IMAGE_SUFFIXES]
            if not images:
                _fail(file, f"{file} holds no image: expected {' '.join(IMAGE_SUFFIXES)}", failures)
            yield from images
        elif any(sign in str(file) for sign in "*?[") and not file.exists():
            # a pattern that the shell did not expand
            below = str(file.relative_to(file.anchor))
            matching = _visible(Path(file.anchor).glob(below))
            if not matching:
                _fail(file, f"{file} matches no file", failures)
            yield from matching
        else:
            yield file


def _visible(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if not path.name.startswith("._"))


def _with_progress(files: Sequence[Path]) -> Iterable[Path]:
    """Return the files, with a progress bar if there are several and stderr is a terminal."""
    if len(files) < 2 or not sys.stderr.isatty():
        return files
    from rich.console import Console
    from rich.progress import track

    return track(files, "reading", console=Console(stderr=True), transient=True)


def _is_array(file: Path) -> bool:
    from cnn_mnist.reading.arrays import is_array

    return str(file) != "-" and is_array(file)


def _read(
    model: "Model", file: Path, how: "How", sheet: Path | None
) -> Iterator[tuple[str, "Reading"]]:
    """Yield the name and the reading of each image in a file."""
    from cnn_mnist.reading.arrays import read_array
    from cnn_mnist.reading.decode import pages
    from cnn_mnist.reading.reader import read
    from cnn_mnist.reading.result import Reading

    if _is_array(file):
        for number, digit in enumerate(read_array(model, file)):
            yield f"{file}#{number}", Reading(lines=((digit,),))
        return
    for picture in pages(sys.stdin.buffer if str(file) == "-" else file):
        reading = read(picture, model, **how)
        if sheet:
            from cnn_mnist.reading.explain import draw_reading

            if picture.page is not None:
                raise ImageError(f"{file} has several pages: --explain draws one image")
            draw_reading(reading, picture, sheet)
        yield str(file) if picture.page is None else f"{file}#{picture.page}", reading
