"""The command `cnn-mnist evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from cnn_mnist.cli.options import (
    FILE,
    PNG_FILE,
    data_dir_option,
    data_option,
    json_option,
    load_data,
)
from cnn_mnist.cli.output import emit, table
from cnn_mnist.errors import ModelError, needs_extra

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from cnn_mnist.data.dataset import Dataset


@click.command()
@click.argument("target", type=FILE, metavar="[R|MODEL.onnx]", required=False)
@data_option
@data_dir_option
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
    help="Images to score.",
)
@click.option(
    "--mistakes",
    "mistakes_file",
    type=PNG_FILE,
    metavar="OUT.png",
    help="Draw the 40 worst mistakes as one image.",
)
@json_option
def evaluate(
    target: Path | None,
    data: str | None,
    data_dir: Path | None,
    split: str,
    mistakes_file: Path | None,
    as_json: bool,
) -> None:
    """Score a run, a model file, or the bundled model.

    Prints accuracy, loss, calibration error, the metrics of each class and the confusion matrix,
    over every image of the split. Of a run, the newest checkpoint is scored.
    """
    from cnn_mnist.inference.model import BUNDLED

    score = _score_run if target and target.is_dir() else _score_file
    dataset, logits, result = score(target or BUNDLED, data, data_dir, split)
    emit(result, as_json=as_json, text=_text(result))
    if mistakes_file:
        from cnn_mnist.evaluation.mistake_sheet import draw_mistakes, worst_mistakes

        images = dataset.splits[split]
        mistakes = worst_mistakes(logits, images.labels)
        draw_mistakes(mistakes, images, mistakes_file)
        wrong = int((logits.argmax(axis=1) != images.labels).sum())
        click.echo(f"{mistakes_file}: the worst {len(mistakes)} of {wrong} mistakes", err=True)


_Scored: TypeAlias = "tuple[Dataset, npt.NDArray[np.float32], dict[str, Any]]"
"""The data set, the logits of the split's images, and the metrics."""


def _score_run(run_dir: Path, data: str | None, data_dir: Path | None, split: str) -> _Scored:
    """Score a run's newest checkpoint."""
    from cnn_mnist.runs.identity import read_identity
    from cnn_mnist.runs.run import Run

    with needs_extra("train", "evaluating a run (its model.onnx needs no torch)"):
        from cnn_mnist.classifier import Classifier

    dataset = load_data(data, data_dir, read_identity(Run(run_dir)))
    classifier = Classifier(run_dir)
    evaluation = classifier.evaluation(dataset, split=split)
    return dataset, evaluation.logits, evaluation.metrics


def _score_file(path: Path, data: str | None, data_dir: Path | None, split: str) -> _Scored:
    """Score a model file."""
    from cnn_mnist.evaluation.metrics import all_logits, metrics
    from cnn_mnist.inference.model import Model
    from cnn_mnist.runs.identity import warn_of_other_data

    model = Model(path)
    dataset = load_data(data, data_dir, None)
    if name := model.metadata.get("dataset"):
        warn_of_other_data(path, name, model.metadata.get("dataset_sha256"), dataset)
    if dataset.classes > model.classes:
        raise ModelError(
            f"{path} has {model.classes} classes, {dataset.name} has {dataset.classes}: "
            "choose another model or another --data"
        )
    logits = all_logits(model.classify, dataset.splits[split])
    step = model.metadata.get("global_step", "")
    result = metrics(logits, dataset.splits[split].labels) | {
        "global_step": int(step) if step.isascii() and step.isdigit() else None,
        "dataset": dataset.name,
        "split": split,
    }
    return dataset, logits, result


def _text(result: dict[str, Any]) -> str:
    """Return the metrics as text for people."""
    rows = [["class", "precision", "recall", "F1", "images"]]
    for row in result["per_class"]:
        shares = (row["precision"], row["recall"], row["f1"])
        rows.append(
            [
                str(row["class"]),
                *("-" if share is None else f"{share:.2%}" for share in shares),
                f"{row['support']:,}",
            ]
        )
    confusion = [["label \\ predicted", *(str(row["class"]) for row in result["per_class"])]]
    for label, counts in enumerate(result["confusion"]):
        confusion.append([str(label), *(str(count) if count else "." for count in counts)])
    return (
        f"{result['dataset']}, {result['split']} split, {result['n']:,} images, "
        f"step {result['global_step']}\n"
        f"accuracy {result['accuracy']:.2%}   loss {result['loss']:.4f}   "
        f"calibration error {result['expected_calibration_error']:.2%}\n\n"
        f"{table(rows)}\n\n{table(confusion)}"
    )
