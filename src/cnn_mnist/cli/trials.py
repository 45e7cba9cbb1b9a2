"""The command `cnn-mnist trials`."""

from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any

import click

from cnn_mnist.cli.options import FILE, load_data
from cnn_mnist.cli.output import emit, table
from cnn_mnist.cli.run_names import default_run_dir
from cnn_mnist.cli.spellings import TrainingCommand
from cnn_mnist.cli.training_options import RecipeFlags, require_grid, training_options
from cnn_mnist.errors import needs_extra


@click.command(cls=TrainingCommand)
@training_options
@click.option(
    "--n",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="Number of runs; of a grid, for each combination.",
)
@click.option(
    "--first-seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="S",
    help="Seed of the first run; the next ones have S+1, S+2, ...",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    metavar="P",
    help="Runs trained at a time; they share the cores.  [default: one per core, or one on a GPU]",
)
@click.option(
    "--run-dir",
    type=FILE,
    metavar="R",
    help="Folder of the runs, R/seed-S each, or R/FIELD=VALUE,.../seed-S of a grid; existing runs "
    "are continued, finished ones kept.  [default: runs/RECIPE-CHANGES-DATA-trials, or -grid]",
)
@click.option(
    "--test",
    is_flag=True,
    help="Score a grid on the test images, too; it is ranked by the validation images all the "
    "same.",
)
def trials(
    flags: RecipeFlags,
    data: str | None,
    data_dir: Path | None,
    device: str,
    as_json: bool,
    n: int,
    first_seed: int,
    processes: int | None,
    run_dir: Path | None,
    test: bool,
) -> None:
    """Train one recipe with several seeds, or a grid of recipes.

    Prints the mean and the standard deviation of the test accuracy over the runs, each at its last
    step.

    Several values after --set make a grid: every combination is trained from the same seeds. They
    are ranked by their accuracy on the validation images; the test images are left alone. For
    example: --set learning_rate=0.001,0.003 --set batch_size=50,100 --n 3
    """
    with needs_extra("train", "training"):
        from cnn_mnist.training.grid import run_grid
        from cnn_mnist.training.malloc import tune_malloc
        from cnn_mnist.training.trials import run_trials

    flags, grid = flags.without_grid()
    recipe = flags.recipe()
    require_grid(recipe, grid)
    dataset = load_data(data, data_dir, None)
    recipe = flags.with_epochs(recipe, len(dataset.train))
    run_dir = run_dir or default_run_dir(recipe, dataset.name, "grid" if grid else "trials")
    shared: dict[str, Any] = {
        "n": n,
        "first_seed": first_seed,
        "device": device,
        "processes": processes,
    }
    tune_malloc()
    if grid:
        result = run_grid(
            run_dir, recipe, grid, dataset, test=test, on_run=_print_grid_run, **shared
        )
        text = _grid_text(result)
    else:
        result = run_trials(run_dir, recipe, dataset, on_run=_print_run, **shared)
        text = _trials_text(result)
    emit(result, as_json=as_json, text=f"{text}\nruns: {run_dir}")


def _trials_text(result: dict[str, Any]) -> str:
    return (
        f"{result['recipe']['name']} on {result['dataset']}: accuracy {_mean(result)} "
        f"(n = {result['n']}), loss {result['mean_loss']:.4f}, "
        f"{mean(result['train_seconds']):.0f} s of training each"
    )


def _grid_text(result: dict[str, Any]) -> str:
    """Return the table of a grid, the best combination first."""
    fields, rows = list(result["grid"]), result["combinations"]
    tested = "test" in rows[0]
    head = [*fields, "validation accuracy", "loss", "s", *(["test accuracy"] if tested else [])]
    cells = [
        [
            *(str(row["settings"][field]) for field in fields),
            _mean(row),
            f"{row['mean_loss']:.4f}",
            f"{mean(row['train_seconds']):.0f}",
            *([_mean(row["test"])] if tested else []),
        ]
        for row in rows
    ]
    return (
        f"{result['recipe']['name']} on {result['dataset']}, n = {rows[0]['n']} seeds each, by "
        f"validation accuracy:\n\n{table([head, *cells], left=len(fields))}\n"
    )


def _mean(values: dict[str, Any]) -> str:
    return f"{values['mean']:.3%} +/- {values['sd']:.3%}"


def _print_grid_run(settings: Mapping[str, Any], seed: int, result: dict[str, Any]) -> None:
    """Print the validation metrics of one run of a grid."""
    words = [f"{field}={value}" for field, value in settings.items()]
    click.echo(f"{' '.join(words)} {_run_text(seed, result)}", err=True)


def _print_run(seed: int, result: dict[str, Any]) -> None:
    """Print the test metrics of one run."""
    click.echo(_run_text(seed, result), err=True)


def _run_text(seed: int, result: dict[str, Any]) -> str:
    return (
        f"seed {seed}: accuracy {result['accuracy']:.2%}, loss {result['loss']:.4f}, "
        f"{result['train_seconds']:.0f} s"
    )
