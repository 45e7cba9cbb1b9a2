"""`cnn-mnist evaluate`."""

from pathlib import Path
from typing import Any

import click

from cnn_mnist.cli.options import FILE, data_dir_option, data_option, emit, json_option, table
from cnn_mnist.errors import ModelError, needs_extra


@click.command()
@click.argument("target", type=FILE, metavar="R|MODEL.onnx")
@data_option
@data_dir_option
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
    help="Which images.",
)
@json_option
def evaluate(
    target: Path, data: str | None, data_dir: Path | None, split: str, as_json: bool
) -> None:
    """Score a run or a model file.

    Of a run, the newest checkpoint is scored; on every image of the split.
    """
    from cnn_mnist.data.load import load
    from cnn_mnist.run import Run, data_of, read_identity

    if target.is_dir():
        with needs_extra("train", "evaluating a run (its model.onnx needs no torch)"):
            from cnn_mnist.classifier import Classifier

        classifier = Classifier(target)
        identity = read_identity(Run(target))
        dataset = load(data or (data_of(identity) if identity else "auto"), data_dir)
        result = classifier.evaluate(dataset, split=split)
    else:
        from cnn_mnist.evaluate import evaluate as score
        from cnn_mnist.infer import Model

        model = Model(target)
        dataset = load(data or "auto", data_dir)
        if dataset.classes > model.classes:
            raise ModelError(
                f"{target} knows {model.classes} classes, {dataset.name} has {dataset.classes}"
            )
        step = model.metadata.get("global_step", "")
        result = score(model.classify, dataset.splits[split]) | {
            "global_step": int(step) if step.isdigit() else None,
            "dataset": dataset.name,
            "split": split,
        }
    emit(result, as_json=as_json, text=_report(result))


def _report(result: dict[str, Any]) -> str:
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
    confusion = [["label \\ read", *(str(row["class"]) for row in result["per_class"])]]
    for label, counts in enumerate(result["confusion"]):
        confusion.append([str(label), *(str(count) if count else "." for count in counts)])
    return (
        f"{result['dataset']}, {result['split']} split, {result['n']:,} images, "
        f"step {result['global_step']}\n"
        f"accuracy {result['accuracy']:.2%}   loss {result['loss']:.4f}   "
        f"calibration error {result['expected_calibration_error']:.2%}\n\n"
        f"{table(rows)}\n\n{table(confusion)}"
    )
