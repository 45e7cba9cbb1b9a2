"""Describe how a network is trained: everything that decides it, as one frozen value.

A recipe travels with the run and with every checkpoint, so that a model can always be rebuilt.
The data, the seed and the machine are not part of it. The named recipes are the TOML files in
`recipes/`, each named after its recipe. Names of networks, optimizers, schedules and augmentations
are looked up in their registries when a trainer is built.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Final

from cnn_mnist.errors import RecipeError

PRECISIONS: Final = ("float32", "bfloat16")

# Limits on what a file may ask for, so that none can ask for all memory there is.
MAX_BATCH_SIZE: Final = 1 << 16
MAX_STEPS: Final = 1 << 53
MAX_CLASSES: Final = 256
MAX_SEED: Final = (1 << 63) - 1

_FOLDER: Final = Path(__file__).parent / "recipes"


def whole_number(value: object, least: int, most: int) -> int:
    """Return a value from a file where it is an integer from `least` to `most`.

    Raises:
        ValueError: it is not.
    """
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{value!r:.100} is not a whole number from {least} to {most}")
    return value


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    Raises:
        RecipeError: a field has the wrong type or a value outside its range.
    """

    name: str
    """What the recipe is called; `cnn-mnist train --recipe NAME`."""

    network: str = "cnn"
    """The network, by its name in `networks`."""

    dropout: float = 0.4
    """Share of the inputs of the logits layer that is dropped in training, in [0, 1)."""

    optimizer: str = "adam"
    """The optimizer, by its name in `training.optimizers`."""

    beta1: float = 0.9
    """Adam's beta1: the decay of its running mean of the gradients, in [0, 1)."""

    beta2: float = 0.999
    """Adam's beta2: the decay of its running mean of the squared gradients, in [0, 1)."""

    learning_rate: float
    """The learning rate; the highest one where the schedule moves it."""

    schedule: str = "one-cycle"
    """The learning-rate schedule, by its name in `training.schedules`."""

    warmup: float = 0.2
    """Share of the steps in which `one-cycle` rises, in [0, 1)."""

    weight_decay: float = 0.0
    """Decoupled weight decay (AdamW); `sgd` has none."""

    label_smoothing: float = 0.0
    """Share of the target spread evenly over all classes, in [0, 1)."""

    augmentation: str = "none"
    """How training images are varied, by name in `training.augmentation`, or `none`."""

    batch_size: int = 100
    """Images in one training step."""

    precision: str = "float32"
    """dtype of forward and backward (autocast): `float32`, or `bfloat16`, faster where the
    processor supports it. Weights, updates and everything after training stay in float32."""

    steps: int
    """The step to end at."""

    log_every: int = 100
    """Steps between two lines of metrics; loss and accuracy are means over them."""

    checkpoint_every: int = 1000
    """Steps between two checkpoints, each followed by a validation pass."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            # bool is an int to Python, and an int is a valid float to everybody
            if type(value) is int and field.type is float:
                object.__setattr__(self, field.name, float(value))
            elif type(value) is not field.type:
                expected = getattr(field.type, "__name__", field.type)
                raise RecipeError(f"recipe field {field.name}={value!r}: expected {expected}")
        if self.precision not in PRECISIONS:
            raise RecipeError(
                f"recipe field precision={self.precision!r}: expected {', '.join(PRECISIONS)}"
            )
        for name, most in (
            ("batch_size", MAX_BATCH_SIZE),
            ("steps", MAX_STEPS),
            ("log_every", MAX_STEPS),
            ("checkpoint_every", MAX_STEPS),
        ):
            if not 1 <= getattr(self, name) <= most:
                raise RecipeError(
                    f"recipe field {name}={getattr(self, name)}: expected 1 to {most:,}"
                )
        for name in ("dropout", "warmup", "label_smoothing", "beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise RecipeError(f"recipe field {name}={getattr(self, name)}: expected [0, 1)")
        for name in ("learning_rate", "weight_decay"):
            # written so that NaN fails too
            if not 0 <= getattr(self, name) < float("inf"):
                raise RecipeError(f"recipe field {name}={getattr(self, name)}: expected [0, inf)")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: object) -> "Recipe":
        """Rebuild a recipe from the values of `to_dict`, checking each of them.

        Raises:
            RecipeError: not a dictionary, an unknown or missing field, or an impossible value.
        """
        if not isinstance(values, dict):
            raise RecipeError(f"a recipe is a JSON object, not {type(values).__name__}")
        known = {field.name for field in fields(cls)}
        if unknown := sorted(str(key) for key in values.keys() - known):
            raise RecipeError(f"recipe has unknown fields: {', '.join(unknown)}")
        try:
            return cls(**values)
        except TypeError as error:
            raise RecipeError(f"recipe is incomplete: {error}") from error

    def differences(self, other: "Recipe") -> list[str]:
        """List what in `other` would train another model, as lines `field: mine -> other's`.

        How often a run logs or saves changes nothing, and a run may go on to a later last step.
        """
        free = {"name", "steps", "log_every", "checkpoint_every"}
        mine, theirs = self.to_dict(), other.to_dict()
        return [
            f"{key}: {mine[key]!r} -> {theirs[key]!r}"
            for key in mine
            if key not in free and mine[key] != theirs[key]
        ]


class _NamedRecipes(Mapping[str, Recipe]):
    """The recipes of `recipes/`, each read when it is first asked for."""

    def __getitem__(self, name: str) -> Recipe:
        if name not in list(self):
            raise KeyError(name)
        return _read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(path.stem for path in _FOLDER.glob("*.toml")))

    def __len__(self) -> int:
        return len(list(iter(self)))


RECIPES: Final[Mapping[str, Recipe]] = _NamedRecipes()


@cache
def _read(name: str) -> Recipe:
    # imported here: whoever reads an image need not wait for it
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    values = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    return Recipe.from_dict({"name": name, **values})


def named(name: str, **changes: Any) -> Recipe:
    """Return a named recipe, with the fields in `changes` replaced.

    Raises:
        RecipeError: no recipe has this name, or a change has an impossible value.
    """
    if name not in RECIPES:
        raise RecipeError(f"no recipe is called {name!r}: expected {', '.join(RECIPES)}")
    return Recipe.from_dict(RECIPES[name].to_dict() | changes)
