"""Describe how a network is trained: everything that decides it, as one frozen value.

A recipe travels with the run and with every checkpoint, so that a model can always be rebuilt.
The data, the seed and the machine are not part of it. The named recipes are the TOML files in
`recipes/`, each named after its recipe. Names of networks, optimizers, schedules and augmentations
are looked up in their registries when a trainer is built.
"""

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
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


_WHOLE_NUMBERS: Final = {
    "batch_size": MAX_BATCH_SIZE,
    "steps": MAX_STEPS,
    "decay_every": MAX_STEPS,
    "log_every": MAX_STEPS,
    "checkpoint_every": MAX_STEPS,
}
_SHARES: Final = (
    "dropout", "warmup", "label_smoothing", "replay", "momentum", "beta1", "beta2",
)  # fmt: skip
"""In [0, 1)."""


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

    optimizer_options: dict[str, Any] = field(default_factory=dict, hash=False)
    """Further keyword arguments of the optimizer: numbers, booleans, text, or lists of those."""

    momentum: float = 0.0
    """Momentum of `sgd`, in [0, 1)."""

    nesterov: bool = False
    """Whether the momentum is Nesterov's."""

    beta1: float = 0.9
    """Adam's beta1: the decay of its running mean of the gradients, in [0, 1)."""

    beta2: float = 0.999
    """Adam's beta2: the decay of its running mean of the squared gradients, in [0, 1)."""

    learning_rate: float
    """The learning rate; the highest one where the schedule moves it."""

    schedule: str = "one-cycle"
    """The learning-rate schedule, by its name in `training.schedules`."""

    warmup: float = 0.2
    """Share of the steps in which `one-cycle` and `cosine` rise, in [0, 1)."""

    decay_every: int = 1000
    """Steps between two cuts of the learning rate in the schedule `step`."""

    decay_factor: float = 0.1
    """What each cut multiplies the learning rate by, in (0, 1]."""

    weight_decay: float = 0.0
    """Weight decay: decoupled in `adam` and `muon` (AdamW), an L2 penalty in `sgd`."""

    label_smoothing: float = 0.0
    """Share of the target spread evenly over all classes, in [0, 1)."""

    augmentation: str = "none"
    """How training images are varied, by name in `training.augmentation`, or `none`."""

    replay: float = 0.0
    """Share of the training images that are known ones (MNIST's where it is available), mixed into
    the user's own, in [0, 1). Above 0, training starts from the bundled model unless told
    otherwise."""

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
        for entry in fields(self):
            object.__setattr__(self, entry.name, _typed(entry.name, entry.type, self))
        if self.precision not in PRECISIONS:
            raise self._refusal("precision", ", ".join(PRECISIONS))
        for name, most in _WHOLE_NUMBERS.items():
            if not 1 <= getattr(self, name) <= most:
                raise self._refusal(name, f"1 to {most:,}")
        for name in _SHARES:
            if not 0 <= getattr(self, name) < 1:
                raise self._refusal(name, "[0, 1)")
        for name in ("learning_rate", "weight_decay"):
            # written so that NaN fails too
            if not 0 <= getattr(self, name) < float("inf"):
                raise self._refusal(name, "[0, inf)")
        if not 0 < self.decay_factor <= 1:
            raise self._refusal("decay_factor", "(0, 1]")
        if self.nesterov and not self.momentum:
            raise self._refusal("nesterov", "a momentum above 0 with it")

    def _refusal(self, name: str, expected: str) -> RecipeError:
        return RecipeError(f"recipe field {name}={getattr(self, name)!r}: expected {expected}")

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
        known = {entry.name for entry in fields(cls)}
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


def _typed(name: str, expected: Any, recipe: Recipe) -> Any:
    """Return a field's value in the field's type, where it is of that type.

    Raises:
        RecipeError: it is of another type.
    """
    value = getattr(recipe, name)
    if name == "optimizer_options":
        return _options(value)
    # bool is an int to Python, and an int is a valid float to everybody
    if type(value) is int and expected is float and abs(value) <= MAX_STEPS:
        return float(value)
    if type(value) is not expected:
        raise RecipeError(f"recipe field {name}={value!r:.100}: expected {expected.__name__}")
    if expected is str and not (value and value.isprintable()):
        raise RecipeError(f"recipe field {name}={value!r:.100}: expected printable text")
    return value


def _options(options: object) -> dict[str, Any]:
    """Return a copy of an optimizer's options, as plain JSON values.

    Raises:
        RecipeError: not a dictionary, a name that is not one of Python's, or another kind of value.
    """
    if not isinstance(options, dict):
        raise RecipeError(f"recipe field optimizer_options={options!r:.100}: expected a table")
    plain = {}
    for key, value in options.items():
        if not (isinstance(key, str) and key.isascii() and key.isidentifier()):
            raise RecipeError(f"recipe field optimizer_options: {key!r:.100} is not an option")
        values = value if isinstance(value, list | tuple) else [value]
        if not all(map(_is_plain, values)):
            raise RecipeError(
                f"recipe field optimizer_options.{key}={value!r:.100}: expected a finite number, "
                "true, false, printable text, or a list of those"
            )
        plain[key] = value if values is not value else list(values)
    return plain


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return value.isprintable()
    if isinstance(value, int):
        return abs(value) <= MAX_STEPS
    return isinstance(value, float) and math.isfinite(value)


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
    values = parse_toml((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    return Recipe.from_dict({"name": name, **values})


def parse_toml(text: str) -> dict[str, Any]:
    """Return the values of a TOML document.

    Raises:
        ValueError: it is not TOML.
    """
    # imported here: whoever reads an image need not wait for it
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        values: dict[str, Any] = tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return values


def named(name: str, /, **changes: Any) -> Recipe:
    """Return a named recipe, with the fields in `changes` replaced.

    Raises:
        RecipeError: no recipe has this name, or a change has an impossible value.
    """
    if name not in RECIPES:
        raise RecipeError(f"no recipe is called {name!r}: expected {', '.join(RECIPES)}")
    return Recipe.from_dict(RECIPES[name].to_dict() | changes)
