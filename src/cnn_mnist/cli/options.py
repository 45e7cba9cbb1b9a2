"""Define the flags that several commands share, and turn their values into objects."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cnn_mnist.errors import RecipeError, needs_extra
from cnn_mnist.recipe import PRECISIONS, RECIPES, Recipe

if TYPE_CHECKING:
    from cnn_mnist.data.dataset import Dataset
    from cnn_mnist.runs.identity import Identity

Command = TypeVar("Command", bound=Callable[..., None])

FILE = click.Path(path_type=Path)


class _PngFile(click.Path):
    """A PNG file to write, whose name must end in .png."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path: Any = super().convert(value, param, ctx)  # a Path, see `path_type`
        if path.suffix.lower() != ".png":
            self.fail(f"{path} must be a PNG file: name it OUT.png", param, ctx)
        return path


class _Network(click.ParamType[str]):
    """A network's name, or `module:function` of the user's own."""

    name = "network"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        with needs_extra("train", "a network"):
            import torch  # noqa: F401 - so that a missing torch is reported as the extra `train`

            from cnn_mnist.networks import NETWORKS
        try:
            NETWORKS.resolve(value)
        except RecipeError as error:
            self.fail(str(error), param, ctx)
        return value


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
recipe_option = click.option(
    "--recipe",
    "recipe_name",
    type=click.Choice(list(RECIPES)),
    help="Recipe to train with.  [default: the run's own, or standard]",
)
network_option = click.option(
    "--network",
    type=_Network(),
    metavar="NAME|MODULE:FUNCTION",
    help="Network to train; `cnn-mnist model` lists the names.  [default: the recipe's]",
)
steps_option = click.option(
    "--steps",
    type=click.IntRange(min=1),
    metavar="N",
    help="Step to end at.  [default: the recipe's]",
)
precision_option = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="dtype of forward and backward; bfloat16 is faster where the processor or the GPU "
    "supports it.  [default: the recipe's]",
)
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Device to compute on; auto is cuda where there is a GPU.",
)

model_option = click.option(
    "--model",
    "model_path",
    type=FILE,
    metavar="R|MODEL.onnx",
    help="Run directory or model file to use.  [default: the bundled model]",
)


def training_options(command: Command) -> Command:
    """Add the flags that `train` and `trials` share."""
    for option in reversed(
        (
            recipe_option,
            network_option,
            data_option,
            data_dir_option,
            steps_option,
            precision_option,
            device_option,
            json_option,
        )
    ):
        command = option(command)
    return command


def changed(
    recipe: Recipe, network: str | None, steps: int | None, precision: str | None
) -> Recipe:
    """Return a recipe with the fields that were given replaced."""
    given: dict[str, Any] = {"network": network, "steps": steps, "precision": precision}
    return replace(recipe, **{field: value for field, value in given.items() if value is not None})


def default_run_dir(recipe: Recipe, dataset: str, last: str) -> Path:
    """Return the run directory of a command without `--run-dir`; always the same for its flags."""
    named = RECIPES[recipe.name]
    fields = (recipe.network, named.network), (recipe.precision, named.precision)
    changes = [ours.replace(":", "-") for ours, default in fields if ours != default]
    return Path("runs", "-".join([recipe.name, *changes, dataset, last]))


def load_data(data: str | None, data_dir: Path | None, identity: "Identity | None") -> "Dataset":
    """Load the data set that was asked for, else the run's own, else `auto`.

    Raises:
        DataError: see `cnn_mnist.data.load.load`.
        RunError: see `cnn_mnist.runs.identity.data_name`.
    """
    from cnn_mnist.data.load import load
    from cnn_mnist.runs.identity import data_name

    return load(data or data_name(identity), data_dir)


def model_file(path: Path | None) -> Path:
    """Return the model file that `--model` names."""
    if path is None:
        from cnn_mnist.inference.model import BUNDLED

        return BUNDLED
    if not path.is_dir():
        return path
    from cnn_mnist.runs.run import Run

    return Run(path).model_file
