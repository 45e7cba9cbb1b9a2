"""The command `cnn-mnist train`."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnn_mnist.cli.options import FILE, load_data
from cnn_mnist.cli.output import emit
from cnn_mnist.cli.report import write_report_of
from cnn_mnist.cli.run_names import default_run_dir
from cnn_mnist.cli.spellings import TrainingCommand
from cnn_mnist.cli.training_options import RecipeFlags, training_options
from cnn_mnist.errors import CnnMnistWarning, WorkerError, needs_extra

if TYPE_CHECKING:
    from cnn_mnist.classifier import Classifier
    from cnn_mnist.data.dataset import Dataset
    from cnn_mnist.recipe import Recipe
    from cnn_mnist.runs.identity import Identity
    from cnn_mnist.runs.run import Run
    from cnn_mnist.training.hooks import Hook


@click.command(cls=TrainingCommand)
@training_options
@click.option(
    "--run-dir",
    type=FILE,
    metavar="R",
    help="Run directory; an existing run is continued.  [default: runs/RECIPE-CHANGES-DATA-seedS]",
)
@click.option(
    "--from",
    "start_source",
    metavar="bundled|R|MODEL.onnx",
    help="Start from these trained weights, and with their network.  [default: new weights; "
    "bundled where the recipe mixes known images in, as finetune does]",
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
@click.option(
    "--hook",
    "own_hooks",
    multiple=True,
    metavar="MODULE:FACTORY|FILE.py:FACTORY",
    help="A hook of your own, made by a function `(run: Run) -> Hook`; may be repeated.",
)
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stop after N validation passes in a row without a new lowest validation loss.",
)
@click.option(
    "--keep-best",
    is_flag=True,
    help="Keep the checkpoint with the lowest validation loss in R/best/, and evaluate, export and "
    "use that one.",
)
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
        from cnn_mnist.training.launch import is_worker, launch
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
    with _errors_for_the_agent() if is_worker() else nullcontext():
        result = _train(is_main, **options)
        if is_main:
            emit(result, as_json=as_json, text=_summary(result))


@contextmanager
def _errors_for_the_agent() -> Iterator[None]:
    """Leave an error to the agent, which prints it once; each worker sees wrong usage, too."""
    from cnn_mnist.training.launch import report_errors

    with report_errors():
        try:
            yield
        except click.UsageError as error:
            raise WorkerError(error.format_message(), error.exit_code) from error


def _train(
    is_main: bool,
    flags: RecipeFlags,
    data: str | None,
    data_dir: Path | None,
    device: str,
    run_dir: Path | None,
    start_source: str | None,
    seed: int | None,
    log_tensors: str | None,
    log_every: int,
    tensorboard: bool,
    own_hooks: tuple[str, ...],
    patience: int | None,
    keep_best: bool,
) -> dict[str, Any]:
    """Train in this process; the main one evaluates, exports and returns the result."""
    from cnn_mnist.classifier import Classifier
    from cnn_mnist.cli.preflight import check_before_training
    from cnn_mnist.export.start import read_start
    from cnn_mnist.runs.identity import read_identity, recipe_and_seed
    from cnn_mnist.runs.run import Run

    identity = read_identity(Run(run_dir)) if run_dir else None
    recipe = flags.recipe(identity.recipe if identity else None)
    recipe, seed = recipe_and_seed(identity, recipe, seed)
    dataset, known = _data(recipe, identity, data, data_dir)
    recipe = flags.with_epochs(recipe, len(dataset.train))
    start = read_start(start_source) if start_source else None
    last = f"from{start.sha256[:8]}-seed{seed}" if start else f"seed{seed}"
    run = Run(run_dir or default_run_dir(recipe, dataset.name, last))
    classifier = Classifier(
        run.path, recipe, seed=seed, device=device, network=flags.network, start=start
    )
    hooks: list[Hook] = []
    if is_main:
        check_before_training(run, classifier.recipe, (known or dataset).classes, log_tensors)
        hooks = _hooks(
            run, dataset, log_tensors, log_every, own_hooks, patience, tensorboard=tensorboard
        )
    classifier.train(dataset, hooks=hooks, keep_best=keep_best, known=known)
    if is_main and classifier.stopped:
        click.echo(f"stopped before step {recipe.steps:,}: {classifier.stopped}", err=True)
    return _finish(classifier, dataset, known) if is_main else {}


def _data(
    recipe: "Recipe", identity: "Identity | None", data: str | None, data_dir: Path | None
) -> "tuple[Dataset, Dataset | None]":
    """Load what to train on, and what a recipe with `replay` mixes in."""
    from cnn_mnist.reading.training_pictures import load

    if not recipe.replay:
        return load_data(data, data_dir, identity), None
    own = load_data(data, data_dir, identity, mixed=False)  # training compares the mix
    return own, load("auto", data_dir)


def _hooks(
    run: "Run",
    dataset: "Dataset",
    log_tensors: str | None,
    log_every: int,
    own_hooks: tuple[str, ...],
    patience: int | None,
    *,
    tensorboard: bool,
) -> "list[Hook]":
    """Return the hooks that the flags ask for."""
    from cnn_mnist.cli.announcement import announcement
    from cnn_mnist.training.hooks import HOOKS, EarlyStopping, LogTensors, make_hook

    hooks = [announcement(dataset), HOOKS.get("progress")(run)]
    if log_tensors:
        hooks.append(LogTensors(log_tensors.split(","), every=log_every))
    if tensorboard:
        hooks.append(HOOKS.get("tensorboard")(run))
    hooks += [make_hook(text, run) for text in own_hooks]
    if patience:
        hooks.append(EarlyStopping(patience))
    return hooks


def _finish(
    classifier: "Classifier", dataset: "Dataset", known: "Dataset | None"
) -> dict[str, Any]:
    """Evaluate and export a trained run, and write its report."""
    images = len(dataset.test) + (2 * len(known.test) if known else 0)
    click.echo(f"scoring {images:,} test images, exporting ...", err=True)
    evaluation = classifier.finish(dataset, known=known)
    page = write_report_of(classifier.run.path, dataset)
    keys = ("accuracy", "loss", "global_step", "dataset", "train_seconds", "n")
    return {
        **{key: evaluation[key] for key in keys},
        **{key: evaluation[key] for key in evaluation if key.startswith("known_")},
        "run_dir": str(classifier.run.path),
        "model": str(classifier.run.model_file),
        "report": str(page) if page else None,
        "stopped": classifier.stopped,
    }


def _summary(result: dict[str, Any]) -> str:
    text = (
        f"test accuracy {result['accuracy']:.2%} on {result['n']:,} images of "
        f"{result['dataset']}, loss {result['loss']:.4f}, after {result['global_step']:,} steps "
        f"in {result['train_seconds']:.0f} s\nmodel: {result['model']}"
    )
    if "known_accuracy" in result:
        before = result.get("known_accuracy_before")
        text += f"\n{result['known_dataset']}: test accuracy {result['known_accuracy']:.2%}"
        text += "" if before is None else f" (before: {before:.2%})"
    return text + (f"\nreport: {result['report']}" if result["report"] else "")


def _arguments() -> list[str]:
    """Return this command's arguments for a worker process."""
    context = click.get_current_context()
    arguments = ["train"]
    for parameter in context.command.params:
        # --as-is is no argument of the command, see `options.as_is_option`
        value = context.params.get(
            str(parameter.name), context.meta.get(f"cnn_mnist.{parameter.name}")
        )
        if parameter.name in ("workers", "max_restarts") or value is None or value is False:
            continue
        flag = parameter.opts[0]
        if value is True:
            arguments.append(flag)
            continue
        for each in value if isinstance(value, tuple) else (value,):
            arguments += [flag, str(each)]
    return arguments
