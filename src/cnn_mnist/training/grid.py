"""Train every combination of several settings, each from the same seeds, and rank them.

The combinations are ranked by their validation images: whoever chooses by the test images has
trained on them. Each combination has its own folder of trials (see `trials`), named after its
settings, so that a stopped grid goes on, and a larger grid keeps what a smaller one has trained.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final, TypeAlias

from cnn_mnist.data.dataset import Dataset
from cnn_mnist.errors import RecipeError
from cnn_mnist.recipe import Recipe
from cnn_mnist.recipe_text import with_settings
from cnn_mnist.training.parts import require_known_parts
from cnn_mnist.training.trial_processes import Result, Trial, process_count, results_of
from cnn_mnist.training.trials import (
    TrainAndScore,
    provenance,
    seed_name,
    statistics_of,
    with_seconds,
)

Settings: TypeAlias = Mapping[str, Any]
"""One value for each field of the grid."""

_LONGEST_NAME: Final = 100


def run_grid(
    directory: Path,
    recipe: Recipe,
    grid: Mapping[str, Sequence[Any]],
    dataset: Dataset,
    *,
    n: int,
    first_seed: int = 0,
    device: str = "auto",
    processes: int | None = 1,
    test: bool = False,
    on_run: Callable[[Settings, int, Result], None] = lambda settings, seed, result: None,
) -> dict[str, Any]:
    """Train every combination of settings from the same `n` seeds.

    Args:
        directory: holds a run directory `FIELD=VALUE,.../seed-S` for each run.
        recipe: what all of them share.
        grid: the values of each field that is varied, such as `{"batch_size": [50, 100]}`.
        dataset: trained on its `train` split, scored on its `validation` split.
        n: seeds of each combination, at least 1.
        first_seed: see `run_trials`.
        device: see `Trainer`.
        processes: see `run_trials`; all runs share them.
        test: whether the `test` split is scored, too; it ranks nothing.
        on_run: called with settings, seed, and validation metrics and `train_seconds` of each run.

    Returns:
        Plain JSON values: `combinations`, the best first, each with its `settings`, `run_dir`, the
        values of `run_trials` on the validation images and, where asked for, on the `test` images;
        `grid`, `split`, `seeds`, `processes`, `recipe`, `dataset`, `versions`, `machine`.

    Raises:
        RecipeError: a field or a value is wrong, or a combination is listed twice.
        CnnMnistError: see `run_trials`.
    """
    splits = ("validation", "test") if test else ("validation",)
    plan = _Plan(directory, _recipes(recipe, grid), range(first_seed, first_seed + n), splits)
    runs, train = plan.trials(), TrainAndScore(dataset, device, splits)
    found: dict[Path, Result] = {}
    for trial, result in results_of(runs, train, device=device, processes=processes):
        found[trial.path] = result
        on_run(plan.settings_of(trial), trial.seed, with_seconds(result, "validation"))
    return {
        **plan.scores(found),
        "grid": {field: list(values) for field, values in grid.items()},
        "processes": process_count(processes, device, len(runs)),
        "recipe": recipe.to_dict(),
        **provenance(dataset),
    }


@dataclass(frozen=True)
class _Plan:
    """Which runs make up a grid, and where they are."""

    directory: Path
    recipes: Mapping[str, tuple[Settings, Recipe]]
    """Settings and recipe of every combination by the name of its folder."""
    seeds: range
    splits: Sequence[str]
    """Those that are scored."""

    def trials(self) -> list[Trial]:
        """Return all runs."""
        return [
            Trial(path=self._path(name, seed), recipe=recipe, seed=seed)
            for name, (_, recipe) in self.recipes.items()
            for seed in self.seeds
        ]

    def settings_of(self, trial: Trial) -> Settings:
        """Return the settings of one run."""
        return self.recipes[trial.path.parent.name][0]

    def scores(self, found: Mapping[Path, Result]) -> dict[str, Any]:
        """Return `combinations`, `split` and `seeds`, see `run_grid`, from each run's result."""
        combinations = [
            self._combination(name, [found[self._path(name, seed)] for seed in self.seeds])
            for name in self.recipes
        ]
        combinations.sort(key=lambda row: (-row["mean"], row["mean_loss"]))
        return {"combinations": combinations, "split": "validation", "seeds": list(self.seeds)}

    def _path(self, name: str, seed: int) -> Path:
        return self.directory / name / seed_name(seed)

    def _combination(self, name: str, results: Sequence[Result]) -> dict[str, Any]:
        row = {
            "settings": dict(self.recipes[name][0]),
            "run_dir": str(self.directory / name),
            **statistics_of(results, "validation"),
            "train_seconds": [result["train_seconds"] for result in results],
        }
        return row | ({"test": statistics_of(results, "test")} if "test" in self.splits else {})


def _recipes(
    recipe: Recipe, grid: Mapping[str, Sequence[Any]]
) -> dict[str, tuple[Settings, Recipe]]:
    """Return settings and recipe of every combination by the name of its folder.

    Raises:
        RecipeError: a field or a value is wrong, or a combination is listed twice.
    """
    recipes: dict[str, tuple[Settings, Recipe]] = {}
    for values in product(*grid.values()):
        settings = dict(zip(grid, values, strict=True))
        changed = with_settings(recipe, settings)
        require_known_parts(changed)
        name = folder_name(settings)
        if name in recipes:
            raise RecipeError(f"the grid lists {settings_text(settings)} twice: list it once")
        recipes[name] = settings, changed
    return recipes


def folder_name(settings: Settings) -> str:
    """Return `FIELD=VALUE,...`, the fields in alphabetical order, as the name of a folder.

    A name that would be too long, or holds a separator, is shortened and ends in a hash of it.
    """
    text = settings_text(dict(sorted(settings.items())), separator=",")
    safe = re.sub(r"[^A-Za-z0-9_.,=+-]+", "-", text)
    if safe == text and len(text) <= _LONGEST_NAME:
        return text
    return f"{safe[:_LONGEST_NAME]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def settings_text(settings: Settings, *, separator: str = " ") -> str:
    """Return settings as `FIELD=VALUE FIELD=VALUE`."""
    return separator.join(f"{field}={value}" for field, value in settings.items())
