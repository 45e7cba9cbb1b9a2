"""The command `cnn-mnist data`."""

from pathlib import Path

import click

from cnn_mnist.cli.options import FILE, as_is_option, data_dir_option, json_option, load_data
from cnn_mnist.cli.output import emit, table
from cnn_mnist.data.catalog import SOURCES
from cnn_mnist.errors import DataError

_FILES = [name for name, source in SOURCES.items() if source.files]
_name = click.argument("name", type=click.Choice(_FILES))


@click.group()
def data() -> None:
    """List, download and verify data sets; import your own."""


@data.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the data sets that have a name."""
    rows = [[source.name, source.licence, source.description] for source in SOURCES.values()]
    keys = ("name", "licence", "description")
    result = {"datasets": [dict(zip(keys, row, strict=True)) for row in rows]}
    emit(result, as_json=as_json, text=table(rows, left=3))


@data.command()
@_name
@click.option(
    "--data-dir", type=FILE, metavar="D", help="Store it in D/NAME/.  [default: the user cache]"
)
@json_option
def fetch(name: str, data_dir: Path | None, as_json: bool) -> None:
    """Download a data set; intact files that are already there are kept."""
    from cnn_mnist.data.fetch import cache_directory
    from cnn_mnist.data.fetch import fetch as fetch_source

    folder = fetch_source(SOURCES[name], data_dir or cache_directory())
    emit({"name": name, "path": str(folder)}, as_json=as_json, text=f"{name} is in {folder}")


@data.command()
@_name
@data_dir_option
@json_option
def verify(name: str, data_dir: Path | None, as_json: bool) -> None:
    """Verify every byte of a data set on this machine.

    Of a file that was decompressed, only the form is checked where just the MD5 of the .gz file is
    published.
    """
    from cnn_mnist.data.load import find
    from cnn_mnist.data.verified_file import find_file, is_verified, read_path

    folder = find(SOURCES[name], data_dir)
    if folder is None:
        raise DataError(f"{name} is not on this machine: fetch it with cnn-mnist data fetch {name}")
    shapes, rows = {}, []
    for file in SOURCES[name].files:
        path = find_file(file, folder)
        shape = shapes[file.name] = read_path(file, path).shape
        state = "intact" if is_verified(file, path) else "readable, no checksum is known"
        rows.append([file.name, " x ".join(map(str, shape)), state])
    emit(
        {"name": name, "path": str(folder), "files": shapes},
        as_json=as_json,
        text=f"{name} is in {folder}\n{table(rows, left=3)}",
    )


@data.command("import")
@click.argument("source")
@click.argument("out", type=FILE)
@as_is_option
@json_option
def import_(source: str, out: Path, as_json: bool) -> None:
    """Write a data set as four IDX files.

    SOURCE is what --data takes. OUT is a new folder, for --data here and for other programs; class
    names that are not numbers are written beside them, into classes.txt.
    """
    from cnn_mnist.data.idx_folder import has_idx_files, read_idx_folder, write_idx_folder

    dataset = load_data(source, None, None)
    present = out.is_dir() and has_idx_files(out)
    if present and read_idx_folder(out, dataset.name).to_dataset(as_is=True).sha256 != (
        dataset.sha256
    ):
        raise DataError(f"{out} holds another data set already: choose another folder")
    if not present:
        write_idx_folder(dataset, out)
    images = {name: len(split) for name, split in dataset.splits.items()}
    result = {
        "path": str(out),
        "dataset": dataset.name,
        "sha256": dataset.sha256,
        "class_names": dataset.class_names,
        "images": images,
    }
    counts = ", ".join(f"{count:,} {name}" for name, count in images.items())
    emit(
        result,
        as_json=as_json,
        text=f"{out}: {dataset.name}, {dataset.classes} classes, {counts}",
    )
