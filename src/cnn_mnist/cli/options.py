"""Define the flags that several commands share, and turn their values into objects."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from cnn_mnist.data.dataset import Dataset
    from cnn_mnist.runs.identity import Identity

FILE = click.Path(path_type=Path)
Command = TypeVar("Command", bound=Callable[..., Any])
_AS_IS: Final = "cnn_mnist.as_is"


class _PngFile(click.Path):
    """A PNG file to write, whose name must end in .png."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path: Any = super().convert(value, param, ctx)  # a Path, see `path_type`
        if path.suffix.lower() != ".png":
            self.fail(f"{path} must be a PNG file: name it OUT.png", param, ctx)
        return path


PNG_FILE = _PngFile(path_type=Path)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as one JSON object on the last line."
)
_source_option = click.option(
    "--data",
    metavar="auto|NAME|DIR|FILE",
    help="Data set: a name of `cnn-mnist data list`, a folder of pictures by class (DIR/7/*.png), "
    "a folder with four IDX files, train.csv or mnist.npz. auto is MNIST where it is available, "
    "else digits.  [default: the run's own, or auto]",
)
as_is_option = click.option(
    "--as-is",
    is_flag=True,
    expose_value=False,
    callback=lambda ctx, param, value: ctx.meta.__setitem__(_AS_IS, value),
    help="Take the pictures of --data as they are, only in grey and resized to 28x28: for what are "
    "not digits. Otherwise the digit of each is found and brought into MNIST's form.",
)
"""Its value is for `load_data` alone: no verb takes it."""
data_dir_option = click.option(
    "--data-dir",
    type=FILE,
    metavar="D",
    help="Look for a data set with a name in D/NAME/ first, then in $CNN_MNIST_DATA, the user "
    "cache and the mirrors.",
)
split_option = click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
    help="Images to score.",
)
model_option = click.option(
    "--model",
    "model_path",
    type=FILE,
    metavar="R|MODEL.onnx",
    help="Run directory or model file to use.  [default: the bundled model]",
)


def data_option(command: Command) -> Command:
    """Add `--data` and `--as-is`; only the first is an argument of the command."""
    return _source_option(as_is_option(command))


def load_data(
    data: str | None,
    data_dir: Path | None,
    identity: "Identity | None",
    *,
    what: object = "the run",
    mixed: bool = True,
) -> "Dataset":
    """Load the data set that was asked for, else the run's own, else `auto`.

    A `CnnMnistWarning` names both where it is not the one that the run was trained on.

    Args:
        data: what `--data` says.
        data_dir: what `--data-dir` says.
        identity: of the run, where there is one.
        what: the run, as the subject of messages.
        mixed: of a run whose recipe has `replay`, load the mix; otherwise the user's own part.

    Raises:
        DataError: see `cnn_mnist.reading.training_pictures.load`.
        RunError: see `cnn_mnist.cli.run_data.load_again`.
        click.UsageError: `--as-is` without data of the user's own.
    """
    from cnn_mnist.cli.run_data import load_again, load_own
    from cnn_mnist.data.catalog import SOURCES
    from cnn_mnist.reading.training_pictures import load
    from cnn_mnist.runs.identity import data_of_run

    as_is = click.get_current_context().meta.get(_AS_IS, False)
    if as_is and (data is None or data in SOURCES):
        raise click.UsageError("--as-is is for data of your own: name it with --data")
    if data is None and identity:
        return (load_again if mixed else load_own)(identity, data_dir, what)
    dataset = load(data or "auto", data_dir, as_is=as_is)
    return data_of_run(what, identity, dataset, asked=True) if identity and mixed else dataset


def model_file(path: Path | None) -> Path:
    """Return the model file that `--model` names."""
    if path is None:
        from cnn_mnist.inference.model import BUNDLED

        return BUNDLED
    if not path.is_dir():
        return path
    from cnn_mnist.runs.run import Run

    return Run(path).model_file
