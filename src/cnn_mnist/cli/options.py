"""Define the flags that several commands share, and turn their values into objects."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from cnn_mnist.data.dataset import Dataset
    from cnn_mnist.runs.identity import Identity

FILE = click.Path(path_type=Path)


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
data_option = click.option(
    "--data",
    metavar="auto|mnist|digits|DIR",
    help="Data set: MNIST, scikit-learn's digits, or a folder with four IDX files. auto is MNIST "
    "where it is available, else digits.  [default: the run's own, or auto]",
)
data_dir_option = click.option(
    "--data-dir",
    type=FILE,
    metavar="D",
    help="Look for MNIST in D/mnist/ first, then in $CNN_MNIST_DATA, the user cache and the "
    "mirrors.",
)
model_option = click.option(
    "--model",
    "model_path",
    type=FILE,
    metavar="R|MODEL.onnx",
    help="Run directory or model file to use.  [default: the bundled model]",
)


def load_data(data: str | None, data_dir: Path | None, identity: "Identity | None") -> "Dataset":
    """Load the data set that was asked for, else the run's own, else `auto`.

    A `CnnMnistWarning` names both where it is not the one that the run was trained on.

    Raises:
        DataError: see `cnn_mnist.data.load.load`.
        RunError: see `cnn_mnist.runs.identity.data_name`.
    """
    from cnn_mnist.data.load import load
    from cnn_mnist.runs.identity import data_name, warn_of_other_data

    dataset = load(data or data_name(identity), data_dir)
    if identity:
        warn_of_other_data("the run", identity.dataset, identity.dataset_sha256, dataset)
    return dataset


def model_file(path: Path | None) -> Path:
    """Return the model file that `--model` names."""
    if path is None:
        from cnn_mnist.inference.model import BUNDLED

        return BUNDLED
    if not path.is_dir():
        return path
    from cnn_mnist.runs.run import Run

    return Run(path).model_file
