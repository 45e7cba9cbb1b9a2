"""What several verbs share: their flags, and how a result is printed."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from cnn_mnist.recipe import NETWORKS, PRECISIONS, RECIPES, Recipe

Command = TypeVar("Command", bound=Callable[..., None])

FILE = click.Path(path_type=Path)


class _PngFile(click.Path):
    """A file to draw into, whose name says what it will be."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path: Any = super().convert(value, param, ctx)  # what `path_type` says
        if path.suffix.lower() != ".png":
            self.fail(f"{path} is to be a PNG file: name it OUT.png", param, ctx)
        return path


PNG_FILE = _PngFile(path_type=Path)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object as the last line."
)
data_option = click.option(
    "--data",
    metavar="auto|mnist|digits|DIR",
    help="Data set: MNIST, scikit-learn's digits, or a folder with four IDX files. "
    "auto is MNIST where it can be had, else the digits.  [default: the run's own, or auto]",
)
data_dir_option = click.option(
    "--data-dir",
    type=FILE,
    metavar="D",
    help="Look for MNIST in D/mnist/ first; then in $CNN_MNIST_DATA, the cache, the mirrors.",
)
recipe_option = click.option(
    "--recipe",
    "recipe_name",
    type=click.Choice(list(RECIPES)),
    help="How to train.  [default: the run's own, or standard]",
)
network_option = click.option(
    "--network", type=click.Choice(NETWORKS), help="Which network.  [default: the recipe's]"
)
steps_option = click.option(
    "--steps",
    type=click.IntRange(min=1),
    metavar="N",
    help="The step to end at.  [default: the recipe's]",
)
precision_option = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="What a step's products are computed in; bfloat16 is faster where the processor or the "
    "GPU has it.  [default: the recipe's]",
)
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to compute; auto is cuda where there is one.",
)

model_option = click.option(
    "--model",
    "model_path",
    type=FILE,
    metavar="R|MODEL.onnx",
    help="A run directory or a model file.  [default: the model in the box]",
)


def training_options(command: Command) -> Command:
    """The flags that say what is trained, on what, and where."""
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
    """A recipe with what was asked for in the place of its own."""
    asked: dict[str, Any] = {"network": network, "steps": steps, "precision": precision}
    return replace(recipe, **{field: value for field, value in asked.items() if value is not None})


def default_run_dir(recipe: Recipe, dataset: str, last: str) -> Path:
    """Where a run lives if nothing is said: the same command finds it again."""
    usual = RECIPES[recipe.name]
    fields = (recipe.network, usual.network), (recipe.precision, usual.precision)
    own = [mine for mine, its in fields if mine != its]
    return Path("runs", "-".join([recipe.name, *own, dataset, last]))


def model_file(path: Path | None) -> Path:
    """The model file that `model_option` means."""
    if path is None:
        from cnn_mnist.infer import PRETRAINED

        return PRETRAINED
    if not path.is_dir():
        return path
    from cnn_mnist.run import Run, require_whole

    run = Run(path)
    require_whole(run, run.model_file)
    return run.model_file


def emit(result: dict[str, Any], *, as_json: bool, text: str) -> None:
    """Print a result: as one JSON line, or as text for people."""
    click.echo(json.dumps(result) if as_json else text)


def table(rows: list[list[str]], *, left: int = 1) -> str:
    """Rows as aligned text, the first `left` columns to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def layer_table(described: dict[str, Any]) -> str:
    """The layers of a network (see `cnn_mnist.model.describe`) as text."""
    rows = [["layer", "kind", "output", "parameters", "FLOPs"]]
    for layer in described["layers"]:
        shape = " x ".join(map(str, layer["output"]))
        rows.append(
            [layer["name"], layer["kind"], shape, *_counts(layer["parameters"], layer["flops"])]
        )
    rows.append(["total", "", "", *_counts(described["parameters"], described["flops"])])
    return table(rows, left=2)


def _counts(*values: int) -> list[str]:
    return [f"{value:,}" if value else "" for value in values]
