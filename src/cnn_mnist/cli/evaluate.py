"""The command `cnn-mnist evaluate`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import click

from cnn_mnist.cli.options import (
    FILE,
    data_dir_option,
    data_option,
    json_option,
    load_data,
    split_option,
)
from cnn_mnist.cli.output import emit
from cnn_mnist.cli.own_network import network_of_run, own_network_option
from cnn_mnist.cli.score_text import score_text
from cnn_mnist.errors import ModelError, needs_extra

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from cnn_mnist.data.dataset import Dataset

_ON_SHEET: Final = 40


class _MistakesOut(click.ParamType[tuple[str, Path]]):
    """Where mistakes go, and as what: a sheet, a list or a folder."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path, kinds = Path(value), {".png": "sheet", ".json": "list", "": "folder"}
        if value.endswith(("/", os.sep)) or path.is_dir():
            return "folder", path
        if path.suffix.lower() not in kinds:
            self.fail(f"{path}: expected OUT.png, OUT.json or a folder OUT/", param, ctx)
        return kinds[path.suffix.lower()], path


@click.command()
@click.argument("target", type=FILE, metavar="[R|MODEL.onnx]", required=False)
@data_option
@data_dir_option
@split_option
@click.option(
    "--mistakes",
    "mistakes_out",
    type=_MistakesOut(),
    metavar="OUT.png|OUT.json|OUT/",
    help="Write the mistakes: the 40 worst drawn on one sheet, or all of them as a JSON list, or "
    "as a folder of pictures LABEL-as-PREDICTED-INDEX.png.",
)
@own_network_option
@json_option
def evaluate(
    target: Path | None,
    data: str | None,
    data_dir: Path | None,
    split: str,
    mistakes_out: tuple[str, Path] | None,
    network: str | None,
    as_json: bool,
) -> None:
    """Score a run, a model file, or the bundled model.

    Prints accuracy, loss, calibration error, the metrics of each class and the confusion matrix,
    over every image of the split. Of a run, the best checkpoint is scored where it keeps one
    (train --keep-best), else the newest.
    """
    from cnn_mnist.inference.model import BUNDLED

    name = network_of_run(network, target)
    if target and target.is_dir():
        dataset, logits, result = _score_run(target, data, data_dir, split, name)
    else:
        dataset, logits, result = _score_file(target or BUNDLED, data, data_dir, split)
    emit(result, as_json=as_json, text=score_text(result))
    if mistakes_out:
        _write_mistakes(*mistakes_out, dataset, split, logits)


def _write_mistakes(
    kind: str, path: Path, dataset: "Dataset", split: str, logits: "npt.NDArray[np.float32]"
) -> None:
    """Write the misread images of a split as a `sheet`, a `list` or a `folder`."""
    from cnn_mnist.evaluation.mistake_files import write_mistake_folder, write_mistake_list
    from cnn_mnist.evaluation.mistake_sheet import draw_mistakes, worst_mistakes

    images = dataset.splits[split]
    mistakes = worst_mistakes(logits, images.labels)
    names = dataset.class_names
    shown = mistakes[:_ON_SHEET] if kind == "sheet" else mistakes
    if kind == "sheet":
        draw_mistakes(shown, images, path, names)
    elif kind == "list":
        write_mistake_list(shown, logits, path, names)
    else:
        write_mistake_folder(shown, images, path, names)
    which = f"the worst {len(shown)} of" if len(shown) < len(mistakes) else "all"
    click.echo(f"{path}: {which} {len(mistakes)} mistakes", err=True)


_Scored: TypeAlias = "tuple[Dataset, npt.NDArray[np.float32], dict[str, Any]]"
"""The data set with the network's classes, the logits of the split's images, and the metrics."""


def _score_run(
    run_dir: Path, data: str | None, data_dir: Path | None, split: str, network: str | None
) -> _Scored:
    """Score a run's best or newest checkpoint."""
    from cnn_mnist.runs.identity import read_identity
    from cnn_mnist.runs.run import Run

    with needs_extra("train", "evaluating a run (its model.onnx needs no torch)"):
        from cnn_mnist.classifier import Classifier

    classifier = Classifier(run_dir, network=network)
    dataset = load_data(data, data_dir, read_identity(Run(run_dir)))
    evaluation = classifier.evaluation(dataset, split=split)
    return evaluation.dataset, evaluation.logits, evaluation.metrics


def _score_file(path: Path, data: str | None, data_dir: Path | None, split: str) -> _Scored:
    """Score a model file."""
    from cnn_mnist.evaluation.metrics import all_logits, metrics
    from cnn_mnist.inference.model import Model
    from cnn_mnist.runs.identity import warn_of_other_data

    model = Model(path)
    dataset = load_data(data, data_dir, None).split_as(model.metadata.get("dataset_sha256"))
    if name := model.metadata.get("dataset"):
        warn_of_other_data(path, name, model.metadata.get("dataset_sha256"), dataset)
    if dataset.classes > model.classes:
        raise ModelError(
            f"{path} has {model.classes} classes, {dataset.name} has {dataset.classes}: "
            "choose another model or another --data"
        )
    dataset = dataset.numbered_as(model.class_names)
    images = dataset.splits[split]
    logits = all_logits(model.classify, images)
    step = model.metadata.get("global_step", "")
    result = metrics(logits, images.labels, model.class_names) | {
        "global_step": int(step) if step.isascii() and step.isdigit() else None,
        "dataset": dataset.name,
        "split": split,
    }
    return dataset, logits, result
