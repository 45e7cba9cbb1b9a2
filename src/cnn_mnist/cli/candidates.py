"""Find and score what `cnn-mnist compare` compares: runs, model files, folders of trials."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cnn_mnist.errors import RunError
from cnn_mnist.runs.json_files import read_json
from cnn_mnist.runs.run import Run

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from cnn_mnist.data.dataset import Dataset
    from cnn_mnist.evaluation.trained_run import Evaluation
    from cnn_mnist.runs.identity import Identity


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One network, and what it was trained on."""

    path: Path
    classes: int
    dataset: str | None
    """The name of its data set; None where it is not known."""
    dataset_sha256: str | None
    """See `Dataset.sha256`; None where it is not known."""
    identity: "Identity | None"
    """Of a run; None of a model file."""

    def right(self, dataset: "Dataset", split: str) -> "npt.NDArray[np.bool_]":
        """Return whether each image of a split is read right, `(N,)`.

        Raises:
            RunError: the run has not reached its last step.
            CnnMnistError: the network cannot be used.
        """
        if self.identity is None:
            from cnn_mnist.inference.model import Model

            model = Model(self.path)
            dataset = dataset.numbered_as(model.class_names)
            predictions = model.classify(dataset.splits[split].images).argmax(axis=1)
        else:
            evaluation = _evaluation(self.path, self.identity, dataset, split)
            dataset, predictions = evaluation.dataset, evaluation.logits.argmax(axis=1)
        right: npt.NDArray[np.bool_] = predictions == dataset.splits[split].labels
        return right


def is_trials(path: Path) -> bool:
    """Return whether a path is a folder of trials, `seed-S` each."""
    return path.is_dir() and not Run(path).recipe_file.exists() and bool(_seeds(path))


def candidates(path: Path) -> list[Candidate]:
    """Return the network of a run or a model file, or those of trials in the order of their seeds.

    Raises:
        RunError: it is neither of them, or the trials are not of one recipe and one data set.
        ModelError: the model file cannot be used.
    """
    if not path.is_dir():
        from cnn_mnist.inference.model import Model

        model = Model(path)
        return [
            Candidate(
                path=path,
                classes=model.classes,
                dataset=model.metadata.get("dataset"),
                dataset_sha256=model.metadata.get("dataset_sha256"),
                identity=None,
            )
        ]
    if not is_trials(path):
        return [_of_run(path)]
    runs = [_of_run(folder) for folder in _seeds(path)]
    for run in runs[1:]:
        if changes := _differences(runs[0], run):
            raise RunError(
                f"{path} holds trials of several recipes ({run.path.name}: {'; '.join(changes)}): "
                "compare those of one"
            )
    return runs


def _of_run(path: Path) -> Candidate:
    from cnn_mnist.runs.identity import require_identity

    if not Run(path).recipe_file.exists():
        for folder in sorted(path.iterdir()):
            if is_trials(folder):
                raise RunError(
                    f"{path} holds several trials: compare one of them, such as {folder}"
                )
    identity = require_identity(Run(path))
    return Candidate(
        path=path,
        classes=identity.classes,
        dataset=identity.dataset,
        dataset_sha256=identity.dataset_sha256,
        identity=identity,
    )


def _seeds(path: Path) -> list[Path]:
    """Return the runs in a folder of trials, in the order of their seeds."""
    folders = [folder for folder in path.glob("seed-*") if folder.name[5:].isdecimal()]
    return sorted(folders, key=lambda folder: int(folder.name[5:]))


def _differences(one: Candidate, other: Candidate) -> Sequence[str]:
    assert one.identity is not None
    assert other.identity is not None
    mine, theirs = one.identity, other.identity
    steps = f"steps: {mine.recipe.steps} -> {theirs.recipe.steps}"
    lines = mine.differences(replace(theirs, seed=mine.seed))
    return lines + ([steps] if mine.recipe.steps != theirs.recipe.steps else [])


def _evaluation(path: Path, identity: "Identity", dataset: "Dataset", split: str) -> "Evaluation":
    """Score a run that has ended.

    Raises:
        RunError: it has not.
    """
    from cnn_mnist.classifier import Classifier
    from cnn_mnist.runs.checkpoint import newest

    classifier = Classifier(path)
    evaluation = classifier.evaluation(dataset, split=split)
    last = newest(classifier.run.checkpoints)
    # `train` writes this when a run has ended, be it before its recipe's last step
    ended = read_json(classifier.run.evaluation_file) or {}
    scored = evaluation.metrics["global_step"]
    if last and last.step < identity.recipe.steps and ended.get("global_step") != scored:
        raise RunError(
            f"{path} is at step {last.step:,} of {identity.recipe.steps:,}: train it to its end "
            "first"
        )
    return evaluation
