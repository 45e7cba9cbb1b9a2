"""Say what a run is, in `recipe.json`: recipe, data set and its hash, seed, versions, machine."""

import warnings
from dataclasses import dataclass

from cnn_mnist.data.catalog import SOURCES
from cnn_mnist.data.class_names import checked_names, default_names
from cnn_mnist.data.dataset import Dataset
from cnn_mnist.data.origin import Origin
from cnn_mnist.errors import CnnMnistWarning, RunError
from cnn_mnist.machine import machine, versions
from cnn_mnist.recipe import MAX_CLASSES, MAX_SEED, Recipe, whole_number
from cnn_mnist.recipe_text import load_recipe
from cnn_mnist.runs.json_files import read_json, write_json
from cnn_mnist.runs.run import Run


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What makes two runs the same: trained again, they give the same weights."""

    recipe: Recipe
    dataset: str
    dataset_sha256: str
    classes: int
    class_names: tuple[str, ...] = ()
    """Where none are given, `0`, `1` and so on."""
    seed: int
    start_sha256: str | None = None
    """Of the weights that it starts from, see `StartWeights`; None where the seed draws them."""
    origin: Origin | None = None
    """Where the data set was read, see `Dataset`; it may move, and makes no other run."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_names", self.class_names or default_names(self.classes))

    @classmethod
    def of(
        cls, recipe: Recipe, dataset: Dataset, seed: int, start_sha256: str | None = None
    ) -> "Identity":
        """Return the identity of a run of `recipe` on `dataset` from `seed`."""
        return cls(
            recipe=recipe,
            dataset=dataset.name,
            dataset_sha256=dataset.sha256,
            classes=dataset.classes,
            class_names=dataset.class_names,
            seed=seed,
            start_sha256=start_sha256,
            origin=dataset.origin,
        )

    def differences(self, other: "Identity") -> list[str]:
        """List what in `other` would give other weights, as lines `field: mine -> other's`.

        A data set is known by its hash: under another name or in another folder it is the same.
        """
        lines = self.recipe.differences(other.recipe)
        if self.dataset_sha256 != other.dataset_sha256:
            hashes = f"SHA-256 {self.dataset_sha256[:12]}... -> {other.dataset_sha256[:12]}..."
            names = f"{self.dataset!r} -> {other.dataset!r} ({hashes})"
            if self.dataset == other.dataset:
                names = f"{self.dataset!r} has other images, labels or class names now, or is "
                names += f"read another way with or without --as-is ({hashes})"
            lines.append(f"dataset: {names}")
        if self.seed != other.seed:
            lines.append(f"seed: {self.seed} -> {other.seed}")
        if self.start_sha256 != other.start_sha256:
            lines.append(
                f"start weights: {_short(self.start_sha256)} -> {_short(other.start_sha256)}"
            )
        return lines


def _short(start_sha256: str | None) -> str:
    return f"SHA-256 {start_sha256[:12]}..." if start_sha256 else "drawn from the seed"


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
        "class_names": identity.class_names,
        "seed": identity.seed,
        **({"start_sha256": identity.start_sha256} if identity.start_sha256 else {}),
        **({"data_origin": identity.origin.to_dict()} if identity.origin else {}),
        "versions": versions(),
        "machine": machine(),
    }
    write_json(run.recipe_file, content)


def read_identity(run: Run) -> Identity | None:
    """Read `recipe.json`; None where the directory holds none.

    Raises:
        RunError: the file cannot be read, or holds impossible values.
    """
    content = read_json(run.recipe_file)
    if content is None:
        return None
    try:
        classes = whole_number(content["classes"], 1, MAX_CLASSES)
        # version 0.1 kept no names: its classes had none but their numbers
        names = checked_names(content.get("class_names", default_names(classes)))
        whole_number(len(names), classes, classes)
        return Identity(
            recipe=Recipe.from_dict(content["recipe"]),
            dataset=str(content["dataset"]),
            dataset_sha256=str(content["dataset_sha256"]),
            classes=classes,
            class_names=names,
            seed=whole_number(content["seed"], 0, MAX_SEED),
            start_sha256=str(content["start_sha256"]) if "start_sha256" in content else None,
            origin=Origin.from_dict(content["data_origin"]) if "data_origin" in content else None,
        )
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(f"{run.recipe_file} is damaged: {error!r}") from error


def require_identity(run: Run) -> Identity:
    """Read `recipe.json` of a directory that must hold a run.

    Raises:
        RunError: it holds none; or see `read_identity`.
    """
    identity = read_identity(run)
    if identity is None:
        raise RunError(f"{run.path} is not a run directory: it has no recipe.json")
    return identity


def recipe_and_seed(
    identity: Identity | None, recipe: Recipe | str | None, seed: int | None
) -> tuple[Recipe, int]:
    """Return what was asked for, else the run's own, else the recipe `standard` and the seed 0.

    Args:
        identity: of the run, where there is one already.
        recipe: a recipe, its name or its `FILE.toml`, or None.
        seed: a seed, or None.

    Raises:
        RecipeError: see `load_recipe`.
    """
    if recipe is None:
        recipe = identity.recipe if identity else "standard"
    if seed is None:
        seed = identity.seed if identity else 0
    return (load_recipe(recipe) if isinstance(recipe, str) else recipe), seed


def data_source(identity: Identity, what: object) -> tuple[str, bool]:
    """Return the name or path under which a run's data set is loaded again, and its `as_is`.

    Args:
        identity: of the run.
        what: the run, as the subject of messages.

    Raises:
        RunError: it was the user's own, and its place is not known: the run is of an older version,
            or was trained in Python.
    """
    if identity.origin is not None:
        return identity.origin.path, identity.origin.as_is
    if identity.dataset not in SOURCES:
        raise RunError(
            f"{what} was trained on {identity.dataset!r}: say where it is with --data (and "
            "--as-is, where it was trained so)"
        )
    return identity.dataset, False


def data_of_run(what: object, identity: Identity, dataset: Dataset, *, asked: bool) -> Dataset:
    """Return a data set in the split of the run that meets it; warn where it is not the run's own.

    Args:
        what: the run, as the subject of messages.
        identity: of the run.
        dataset: what it meets.
        asked: whether the user named the data set; else it was loaded from its `data_source`.

    Raises:
        RunError: it was loaded from its source only, and is another one.
    """
    dataset = dataset.split_as(identity.dataset_sha256)
    if not asked and dataset.sha256 != identity.dataset_sha256:
        before = f"(SHA-256 {identity.dataset_sha256[:12]}...)"
        if identity.origin is None:
            raise RunError(
                f"{what} was trained on another data set with the name {identity.dataset!r} "
                f"{before}: say where it is with --data"
            )
        raise RunError(
            f"{what} was trained on {identity.dataset} {before}, but {identity.origin.path} makes "
            f"{dataset.name} (SHA-256 {dataset.sha256[:12]}...) now: say with --data where its "
            "data is, or restore it"
        )
    warn_of_other_data(what, identity.dataset, identity.dataset_sha256, dataset)
    return dataset


def warn_of_other_data(what: object, name: str, sha256: str | None, dataset: Dataset) -> None:
    """Warn with a `CnnMnistWarning` where a network meets a data set that it was not trained on.

    Args:
        what: the network, as the subject of the message.
        name: of the data set that it was trained on.
        sha256: that data set's `Dataset.sha256`; None where it is not known: then the name decides.
        dataset: what it meets.
    """
    if dataset.name == name if sha256 is None else dataset.sha256 == sha256:
        return
    trained_on = name if sha256 is None else f"{name} (SHA-256 {sha256[:12]}...)"
    warnings.warn(
        f"{what} was trained on {trained_on}; this is another data set, {dataset.name} (SHA-256 "
        f"{dataset.sha256[:12]}...)",
        CnnMnistWarning,
        stacklevel=2,
    )
