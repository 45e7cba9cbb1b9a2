"""The command `cnn-mnist train`."""

import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnn_mnist.cli.options import FILE, load_data
from cnn_mnist.cli.output import emit, layer_text
from cnn_mnist.cli.report import write_report_of
from cnn_mnist.cli.training_options import changed, default_run_dir, training_options
from cnn_mnist.errors import CnnMnistWarning, needs_extra

if TYPE_CHECKING:
    from cnn_mnist.classifier import Classifier
    from cnn_mnist.data.dataset import Dataset
    from cnn_mnist.recipe import Recipe
    from cnn_mnist.runs.run import Run
    from cnn_mnist.training.hooks import Hook


@click.command()
@training_options
@click.option(
    "--run-dir",
    type=FILE,
    metavar="R",
    help="Run directory; an existing run is continued.  [default: runs/RECIPE-DATA-seedS]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**63 - 1),
    metavar="S",
    help="Seed of everything random.  [default: the run's own, or 0]",
)
@click.option(
    "--log-tensors",
    metavar="NAME,...",
    help="Print these tensors during training: loss, logits, probabilities, classes, labels, or "
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
    help="Processes that share each batch and this machine's cores, or its GPUs.",
)
@click.option(
    "--max-restarts",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Restart the workers up to N times after one has failed.",
)
@click.option("--tensorboard", is_flag=True, help="Write TensorBoard events to R/tensorboard/.")
def train(workers: int, max_restarts: int, as_json: bool, **options: Any) -> None:
    """Train a network, evaluate it and export it.

    The trained network is scored on the whole test set and written to R/model.onnx. Where
    matplotlib is installed, R/report/index.html shows the run.

    After Ctrl-C or a kill, the same command continues from the newest checkpoint; the result is
    that of an uninterrupted run, bit for bit.

    On several machines, `torchrun ... -m cnn_mnist train` takes the same flags: see docs/scale.md.
    """
    with needs_extra("train", "training"):
        from cnn_mnist.training.distributed import Group
        from cnn_mnist.training.launch import is_worker, launch, report_errors
        from cnn_mnist.training.malloc import tune_malloc

    if (workers > 1 or max_restarts) and not is_worker():
        launch(_arguments(), workers=workers, max_restarts=max_restarts)
        return
    is_main = Group.of_environment().is_main
    if not is_main:
        warnings.simplefilter(
            "ignore", CnnMnistWarning
        )  # the main process prints the same warnings
    tune_malloc()
    with report_errors() if is_worker() else nullcontext():
        result = _train(is_main, **options)
        if is_main:
            emit(result, as_json=as_json, text=_summary(result))


def _train(
    is_main: bool,
    recipe_name: str | None,
    network: str | None,
    data: str | None,
    data_dir: Path | None,
    steps: int | None,
    precision: str | None,
    device: str,
    run_dir: Path | None,
    seed: int | None,
    log_tensors: str | None,
    log_every: int,
    tensorboard: bool,
) -> dict[str, Any]:
    """Train in this process; the main one evaluates, exports and returns the result."""
    from cnn_mnist.classifier import Classifier
    from cnn_mnist.runs.identity import read_identity, recipe_and_seed
    from cnn_mnist.runs.run import Run

    identity = read_identity(Run(run_dir)) if run_dir else None
    recipe, seed = recipe_and_seed(identity, recipe_name, seed)
    recipe = changed(recipe, network, steps, precision)
    dataset = load_data(data, data_dir, identity)
    run = Run(run_dir or default_run_dir(recipe, dataset.name, f"seed{seed}"))
    hooks = _hooks(run, log_tensors, log_every, tensorboard=tensorboard)
    if is_main:
        _announce(run, recipe, dataset, seed)
    classifier = Classifier(run.path, recipe, seed=seed, device=device)
    classifier.train(dataset, hooks=hooks)
    return _finish(classifier, dataset) if is_main else {}


def _hooks(
    run: "Run", log_tensors: str | None, log_every: int, *, tensorboard: bool
) -> "list[Hook]":
    """Return the hooks that the flags ask for."""
    from cnn_mnist.training.hooks import HOOKS, LogTensors

    hooks = [HOOKS.get("progress")(run)]
    if log_tensors:
        hooks.append(LogTensors(log_tensors.split(","), every=log_every))
    if tensorboard:
        hooks.append(HOOKS.get("tensorboard")(run))
    return hooks


def _announce(run: "Run", recipe: "Recipe", dataset: "Dataset", seed: int) -> None:
    """Show the network's layers and what is about to be trained."""
    from cnn_mnist.networks.build import build
    from cnn_mnist.networks.table import describe
    from cnn_mnist.networks.trace import layer_table

    click.echo(layer_text(describe(layer_table(build(recipe, dataset.classes)))), err=True)
    click.echo(
        f"\n{recipe.name} on {dataset.name} ({len(dataset.train):,} images), seed {seed}, "
        f"to step {recipe.steps:,} in {run.path}",
        err=True,
    )


def _finish(classifier: "Classifier", dataset: "Dataset") -> dict[str, Any]:
    """Evaluate and export a run that has reached its last step, and write its report."""
    evaluation = classifier.finish(dataset)
    page = write_report_of(classifier.run.path, dataset)
    keys = ("accuracy", "loss", "global_step", "dataset", "train_seconds", "n")
    return {
        **{key: evaluation[key] for key in keys},
        "run_dir": str(classifier.run.path),
        "model": str(classifier.run.model_file),
        "report": str(page) if page else None,
    }


def _summary(result: dict[str, Any]) -> str:
    text = (
        f"test accuracy {result['accuracy']:.2%} on {result['n']:,} images of "
        f"{result['dataset']}, loss {result['loss']:.4f}, after {result['global_step']:,} steps "
        f"in {result['train_seconds']:.0f} s\nmodel: {result['model']}"
    )
    return text + (f"\nreport: {result['report']}" if result["report"] else "")


def _arguments() -> list[str]:
    """Return this command's arguments for a worker process."""
    context = click.get_current_context()
    arguments = ["train"]
    for parameter in context.command.params:
        value = context.params[str(parameter.name)]
        if parameter.name in ("workers", "max_restarts") or value is None or value is False:
            continue
        arguments += [parameter.opts[0]] if value is True else [parameter.opts[0], str(value)]
    return arguments
