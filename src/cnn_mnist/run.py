"""A run directory: where a run keeps what it is, what it measured and what it made.

    recipe.json         recipe, data set and its hash, seed, versions, machine
    metrics.jsonl       one object a line
    checkpoints/        see `checkpoint.py`
    model.onnx          the trained network, ready to use
    evaluation.json     its figures on the test set
    report/             what there is to see and to know of it, as one page
    SHA256SUMS          of the files that are finished, see `sums.py`

All of it is read by public tools; nothing in it runs code.
"""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cnn_mnist import sums
from cnn_mnist.data.catalog import SOURCES
from cnn_mnist.data.dataset import Dataset
from cnn_mnist.errors import CnnMnistWarning, RunError
from cnn_mnist.files import read_bounded, replace
from cnn_mnist.machine import machine, versions
from cnn_mnist.recipe import MAX_CLASSES, MAX_SEED, Recipe, whole_number

MAX_JSON_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Run:
    """The places of a run directory; none of them need exist."""

    path: Path

    @property
    def recipe_file(self) -> Path:
        """What the run is."""
        return self.path / "recipe.json"

    @property
    def metrics_file(self) -> Path:
        """What the run measured on its way."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """The folder of its checkpoints."""
        return self.path / "checkpoints"

    @property
    def model_file(self) -> Path:
        """The exported network."""
        return self.path / "model.onnx"

    @property
    def evaluation_file(self) -> Path:
        """The figures of the finished run."""
        return self.path / "evaluation.json"

    @property
    def report_file(self) -> Path:
        """The page about the run."""
        return self.path / "report" / "index.html"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What makes two runs the same: trained again, they give the same weights."""

    recipe: Recipe
    dataset: str
    dataset_sha256: str
    classes: int
    seed: int

    @classmethod
    def of(cls, recipe: Recipe, dataset: Dataset, seed: int) -> "Identity":
        """The identity of a run of `recipe` on `dataset` from `seed`."""
        return cls(
            recipe=recipe,
            dataset=dataset.name,
            dataset_sha256=dataset.sha256,
            classes=dataset.classes,
            seed=seed,
        )

    def differences(self, other: "Identity") -> list[str]:
        """What of `other` would give other weights, as lines `field: mine -> other's`."""
        lines = self.recipe.differences(other.recipe)
        for field in ("dataset", "dataset_sha256", "seed"):
            mine, theirs = getattr(self, field), getattr(other, field)
            if mine != theirs:
                lines.append(f"{field}: {mine!r} -> {theirs!r}")
        return lines


def require_whole(run: Run, *files: Path) -> None:
    """Refuse files of a run directory that are not what they were when they were finished.

    Raises:
        RunError: one is damaged, or the list that tells.
    """
    if names := sums.damaged(run.path, [file.name for file in files]):
        raise RunError(_damage(run, names[0]))


def warn_of_damage(run: Run) -> None:
    """Give a `CnnMnistWarning` for each result of a run that is not what it was.

    That of `recipe.json` is an error, see `read_identity`.
    """
    for name in sums.damaged(run.path):
        if name != run.recipe_file.name:
            warnings.warn(_damage(run, name), CnnMnistWarning, stacklevel=2)


def _damage(run: Run, name: str) -> str:
    if name == sums.SUMS:
        return f"{run.path / name} is damaged: it is no list of sums"
    return f"{run.path / name} is damaged: its SHA-256 is not the one in {run.path / sums.SUMS}"


@contextmanager
def changing(run: Run, *files: Path) -> Iterator[None]:
    """Files of a run directory are written anew in the block, and are finished after it.

    Raises:
        RunError: the list of sums cannot be written.
    """
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        sums.remove(run.path, [file.name for file in files])
        yield
        sums.add(run.path, [file.name for file in files if file.exists()])
    except OSError as error:
        raise RunError(f"{run.path} cannot be written: {error.strerror or error}") from error


def unfinish(run: Run) -> None:
    """Take the results of a run that goes on off its list of sums.

    Raises:
        RunError: the list cannot be written.
    """
    results = run.metrics_file, run.model_file, run.evaluation_file
    try:
        sums.remove(run.path, [file.name for file in results])
    except OSError as error:
        raise RunError(f"{run.path / sums.SUMS} cannot be written: {error.strerror}") from error


def data_of(identity: Identity) -> str:
    """The name under which a run's data set is loaded again.

    Raises:
        RunError: it was a folder of the user's own, whose place is not kept.
    """
    if identity.dataset not in SOURCES:
        raise RunError(f"the run was trained on {identity.dataset!r}: say where it is with --data")
    return identity.dataset


def write_identity(run: Run, identity: Identity) -> None:
    """Write `recipe.json`, with the versions and the machine beside the identity.

    Raises:
        RunError: it cannot be written.
    """
    content = {
        "recipe": identity.recipe.to_dict(),
        "dataset": identity.dataset,
        "dataset_sha256": identity.dataset_sha256,
        "classes": identity.classes,
        "seed": identity.seed,
        "versions": versions(),
        "machine": machine(),
    }
    with changing(run, run.recipe_file):
        write_json(run.recipe_file, content)


def read_identity(run: Run) -> Identity | None:
    """Read `recipe.json`; None where the directory holds none.

    Raises:
        RunError: the file cannot be read, or says what cannot be.
    """
    content = read_json(run.recipe_file)
    if content is None:
        return None
    if run.recipe_file.name in sums.damaged(run.path, [run.recipe_file.name]):
        raise RunError(_damage(run, run.recipe_file.name))
    try:
        return Identity(
            recipe=Recipe.from_dict(content["recipe"]),
            dataset=str(content["dataset"]),
            dataset_sha256=str(content["dataset_sha256"]),
            classes=whole_number(content["classes"], 1, MAX_CLASSES),
            seed=whole_number(content["seed"], 0, MAX_SEED),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(f"{run.recipe_file} is damaged: {error!r}") from error


def read_metrics(run: Run) -> list[dict[str, float]]:
    """Read `metrics.jsonl`; empty where the run measured nothing on its way.

    A line that a killed run left torn is passed over.

    Raises:
        RunError: the file cannot be read.
    """
    try:
        lines = run.metrics_file.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{run.metrics_file} cannot be read: {error.strerror or error}") from error
    rows = []
    for line in lines:
        with suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict) and all(type(value) in (int, float) for value in row.values()):
                rows.append(row)
    return [row for row in rows if "step" in row]


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None where there is no such file.

    Raises:
        RunError: the file cannot be read, or holds no JSON object.
    """
    try:
        content = json.loads(read_bounded(path, MAX_JSON_BYTES))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise RunError(f"{path} is damaged: it holds no JSON object")
    return content


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file in one step, its folder created where missing.

    Raises:
        RunError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from error
