"""`cnn-mnist train`."""

import warnings
from contextlib import nullcontext
from pathlib import Path

import click

from cnn_mnist.cli.options import (
    FILE,
    changed,
    default_run_dir,
    emit,
    layer_table,
    training_options,
)
from cnn_mnist.cli.report import report_of
from cnn_mnist.errors import CnnMnistWarning, needs_extra


@click.command()
@training_options
@click.option(
    "--run-dir",
    type=FILE,
    metavar="R",
    help="Where the run lives; training there again goes on.  [default: runs/NAME, of recipe, "
    "data and seed]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**63 - 1),
    metavar="S",
    help="Decides everything random.  [default: the run's own, or 0]",
)
@click.option(
    "--log-tensors",
    metavar="NAME,...",
    help="Print these tensors as training goes: loss, logits, probabilities, classes, labels, or "
    "a parameter such as conv1.weight.",
)
@click.option(
    "--log-every",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    metavar="N",
    help="Steps between two prints of --log-tensors.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Processes that share every batch and this machine's cores, or its GPUs.",
)
@click.option(
    "--max-restarts",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="How often the workers are started again where one has failed.",
)
@click.option("--tensorboard", is_flag=True, help="Write TensorBoard events to R/tensorboard/.")
def train(
    recipe_name: str | None,
    network: str | None,
    data: str | None,
    data_dir: Path | None,
    steps: int | None,
    precision: str | None,
    device: str,
    as_json: bool,
    run_dir: Path | None,
    seed: int | None,
    log_tensors: str | None,
    log_every: int,
    workers: int,
    max_restarts: int,
    tensorboard: bool,
) -> None:
    """Train a network, evaluate it, export it.

    The network is scored on the whole test set and written to R/model.onnx; where matplotlib is
    installed, R/report/index.html shows the run.

    Stopped by Ctrl-C or killed, the same command goes on where it was. The result is the one that
    a run left alone would have had, bit for bit.

    For several machines, see docs/scale.md: `torchrun ... -m cnn_mnist train` takes the same flags.
    """
    from cnn_mnist.data.load import load
    from cnn_mnist.recipe import named
    from cnn_mnist.run import Run, data_of, read_identity

    with needs_extra("train", "training"):
        from cnn_mnist.classifier import Classifier
        from cnn_mnist.hooks import Hook, LogTensors, TensorBoard, progress
        from cnn_mnist.model import build, describe, layers
        from cnn_mnist.parallel import Group
        from cnn_mnist.workers import is_worker, launch, reporting

    if (workers > 1 or max_restarts) and not is_worker():
        launch(_arguments(), workers=workers, max_restarts=max_restarts)
        return
    first = Group.of_environment().first
    if not first:
        warnings.simplefilter("ignore", CnnMnistWarning)  # the first process says the same
    with reporting() if is_worker() else nullcontext():
        before = read_identity(Run(run_dir)) if run_dir else None
        own = before.recipe if before and recipe_name is None else None
        recipe = own or named(recipe_name or "standard")
        recipe = changed(recipe, network, steps, precision)
        if seed is None:
            seed = before.seed if before else 0
        dataset = load(data or (data_of(before) if before else "auto"), data_dir)
        run_dir = run_dir or default_run_dir(recipe, dataset.name, f"seed{seed}")
        hooks: list[Hook] = [progress()]
        if log_tensors:
            hooks.append(LogTensors(log_tensors.split(","), every=log_every))
        if tensorboard:
            hooks.append(TensorBoard(run_dir / "tensorboard"))

        if first:
            click.echo(layer_table(describe(layers(build(recipe, dataset.classes)))), err=True)
            click.echo(
                f"\n{recipe.name} on {dataset.name} ({len(dataset.train):,} images), seed {seed}, "
                f"to step {recipe.steps:,} in {run_dir}",
                err=True,
            )
        classifier = Classifier(run_dir, recipe, seed=seed, device=device)
        classifier.train(dataset, hooks=hooks)
        if not first:
            return
        figures = classifier.finish(dataset)
        page = report_of(run_dir, dataset)
        result = {
            "accuracy": figures["accuracy"],
            "loss": figures["loss"],
            "global_step": figures["global_step"],
            "dataset": dataset.name,
            "train_seconds": figures["train_seconds"],
            "run_dir": str(run_dir),
            "model": str(classifier.run.model_file),
            "report": str(page) if page else None,
        }
        emit(
            result,
            as_json=as_json,
            text=f"test accuracy {figures['accuracy']:.2%} on {figures['n']:,} images of "
            f"{dataset.name}, loss {figures['loss']:.4f}, after {figures['global_step']:,} steps "
            f"in {figures['train_seconds']:.0f} s\nmodel: {classifier.run.model_file}"
            + (f"\nreport: {page}" if page else ""),
        )


def _arguments() -> list[str]:
    """The command's own flags again, as a worker takes them."""
    context = click.get_current_context()
    arguments = ["train"]
    for parameter in context.command.params:
        value = context.params[str(parameter.name)]
        if parameter.name in ("workers", "max_restarts") or value is None or value is False:
            continue
        arguments += [parameter.opts[0]] if value is True else [parameter.opts[0], str(value)]
    return arguments
