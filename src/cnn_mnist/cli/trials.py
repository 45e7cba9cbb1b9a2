"""`cnn-mnist trials`."""

from pathlib import Path
from typing import Any

import click

from cnn_mnist.cli.options import FILE, changed, default_run_dir, emit, training_options
from cnn_mnist.errors import needs_extra


@click.command()
@training_options
@click.option(
    "--n", type=click.IntRange(min=1), default=3, show_default=True, help="How many runs."
)
@click.option(
    "--first-seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="S",
    help="The runs have the seeds S, S+1, ...",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    metavar="P",
    help="How many are trained at a time, the cores shared among them.  [default: one a core]",
)
@click.option(
    "--run-dir",
    type=FILE,
    metavar="R",
    help="Where the runs live, as R/seed-S; those there already go on or are taken as they are.  "
    "[default: runs/NAME-trials]",
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
    """Train from several seeds: mean and deviation.

    They are those of the test accuracy, each run at its last step.
    """
    from cnn_mnist.data.load import load
    from cnn_mnist.recipe import named

    with needs_extra("train", "training"):
        from cnn_mnist.trials import run_trials

    recipe = changed(named(recipe_name or "standard"), network, steps, precision)
    dataset = load(data or "auto", data_dir)
    run_dir = run_dir or default_run_dir(recipe, dataset.name, "trials")
    result = run_trials(
        run_dir,
        recipe,
        dataset,
        n=n,
        first_seed=first_seed,
        device=device,
        processes=processes,
        on_run=_say,
    )
    seconds = sum(result["train_seconds"]) / n
    emit(
        result,
        as_json=as_json,
        text=f"{recipe.name} on {dataset.name}: accuracy {result['mean']:.3%} "
        f"+/- {result['sd']:.3%} (n = {n}), loss {result['mean_loss']:.4f}, "
        f"{seconds:.0f} s of training each\nruns: {run_dir}",
    )


def _say(seed: int, figures: dict[str, Any]) -> None:
    click.echo(
        f"seed {seed}: accuracy {figures['accuracy']:.2%}, loss {figures['loss']:.4f}, "
        f"{figures['train_seconds']:.0f} s",
        err=True,
    )
