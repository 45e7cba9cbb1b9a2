"""The command `cnn-mnist trials`."""

from pathlib import Path
from typing import Any

import click

from cnn_mnist.cli.options import FILE, load_data
from cnn_mnist.cli.output import emit
from cnn_mnist.cli.training_options import changed, default_run_dir, training_options
from cnn_mnist.errors import needs_extra


@click.command()
@training_options
@click.option(
    "--n",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="Number of runs.",
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
    help="Folder of the runs, R/seed-S each; existing runs are continued, finished ones kept.  "
    "[default: runs/RECIPE-DATA-trials]",
)
def trials(
    recipe_name: str | None,
    network: str | None,
    data: str | None,
    data_dir: Path | None,
    steps: int | None,
    precision: str | None,
    device: str,
    as_json: bool,
    n: int,
    first_seed: int,
    processes: int | None,
    run_dir: Path | None,
) -> None:
    """Train one recipe with several seeds.

    Prints the mean and the standard deviation of the test accuracy over the runs, each at its last
    step.
    """
    from cnn_mnist.recipe import named

    with needs_extra("train", "training"):
        from cnn_mnist.training.malloc import tune_malloc
        from cnn_mnist.training.trials import run_trials

    recipe = changed(named(recipe_name or "standard"), network, steps, precision)
    dataset = load_data(data, data_dir, None)
    run_dir = run_dir or default_run_dir(recipe, dataset.name, "trials")
    tune_malloc()
    result = run_trials(
        run_dir,
        recipe,
        dataset,
        n=n,
        first_seed=first_seed,
        device=device,
        processes=processes,
        on_run=_print_run,
    )
    seconds = sum(result["train_seconds"]) / n
    emit(
        result,
        as_json=as_json,
        text=f"{recipe.name} on {dataset.name}: accuracy {result['mean']:.3%} "
        f"+/- {result['sd']:.3%} (n = {n}), loss {result['mean_loss']:.4f}, "
        f"{seconds:.0f} s of training each\nruns: {run_dir}",
    )


def _print_run(seed: int, result: dict[str, Any]) -> None:
    """Print the test metrics of one run."""
    click.echo(
        f"seed {seed}: accuracy {result['accuracy']:.2%}, loss {result['loss']:.4f}, "
        f"{result['train_seconds']:.0f} s",
        err=True,
    )
