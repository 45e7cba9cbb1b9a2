"""The command `cnn-mnist data`."""

from pathlib import Path

import click

from cnn_mnist.cli.options import FILE, data_dir_option, json_option
from cnn_mnist.cli.output import emit, table
from cnn_mnist.data.catalog import SOURCES
from cnn_mnist.errors import DataError

_FILES = [name for name, source in SOURCES.items() if source.files]
_name = click.argument("name", type=click.Choice(_FILES))


@click.group()
def data() -> None:
    """List, download and verify data sets."""


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
    """Verify every byte of a data set on this machine."""
    from cnn_mnist.data.load import find, read_file

    folder = find(SOURCES[name], data_dir)
    if folder is None:
        raise DataError(f"{name} is not on this machine: fetch it with cnn-mnist data fetch {name}")
    shapes = {file.name: read_file(file, folder).shape for file in SOURCES[name].files}
    rows = [[file, " x ".join(map(str, shape)), "intact"] for file, shape in shapes.items()]
    emit(
        {"name": name, "path": str(folder), "files": shapes},
        as_json=as_json,
        text=f"{name} is in {folder}\n{table(rows, left=2)}",
    )
