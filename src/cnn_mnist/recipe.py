"""Recipes: everything that decides how a network is trained, as one frozen value.

A recipe travels with the run and with every checkpoint, so that a model can always be rebuilt.
The data, the seed and the machine are not part of it.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from cnn_mnist.errors import RecipeError

NETWORKS: Final = ("cnn", "cnn-bn", "deep", "softmax", "small")
OPTIMIZERS: Final = ("sgd", "adam")
SCHEDULES: Final = ("constant", "one-cycle")
AUGMENTATIONS: Final = ("none", "affine", "elastic")
PRECISIONS: Final = ("float32", "bfloat16")

# What a foreign file may ask for, so that none can ask for all memory there is.
MAX_BATCH_SIZE: Final = 1 << 16
MAX_STEPS: Final = 1 << 53
MAX_CLASSES: Final = 256
MAX_SEED: Final = (1 << 63) - 1


def whole_number(value: object, least: int, most: int) -> int:
    """A value from a file, where it is a whole number in its bounds.

    Raises:
        ValueError: it is not.
    """
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{value!r:.100} is no whole number from {least} to {most}")
    return value


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    Raises:
        RecipeError: a field has the wrong type or a value that cannot be.
    """

    name: str
    """What the recipe is called; `cnn-mnist train --recipe NAME`."""

    network: str = "cnn"
    """Which network of `model.py` is trained."""

    dropout: float = 0.4
    """Share of what the logits are made of that is dropped in training, in [0, 1)."""

    optimizer: str = "adam"
    """`sgd` (plain: no momentum) or `adam`."""

    beta1: float = 0.9
    """How much of its mean of the gradients `adam` keeps in a step, in [0, 1)."""

    beta2: float = 0.999
    """How much of its mean of their squares `adam` keeps in a step, in [0, 1)."""

    learning_rate: float
    """The step size; the highest one where the schedule moves it."""

    schedule: str = "one-cycle"
    """`constant`, or `one-cycle`: up in a straight line, then down to 0 in a straight line."""

    warmup: float = 0.2
    """Share of the steps that `one-cycle` spends on the way up, in [0, 1)."""

    weight_decay: float = 0.0
    """Decoupled weight decay (AdamW); `sgd` has none."""

    label_smoothing: float = 0.0
    """Share of the target spread evenly over all classes, in [0, 1)."""

    augmentation: str = "none"
    """`none`; `affine`: each image moved, turned and stretched a little, anew each time; or
    `elastic`: bent a little as well."""

    batch_size: int = 100
    """Images in one training step."""

    precision: str = "float32"
    """What the products of a training step are computed in: `float32`, or `bfloat16`, faster where
    the processor has it. Weights, updates and everything after training stay in float32."""

    steps: int
    """The step to end at."""

    log_every: int = 100
    """Steps between two lines of metrics; loss and accuracy are means over them."""

    checkpoint_every: int = 1000
    """Steps between two checkpoints, each followed by a look at the validation images."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            # bool is an int to Python, an int is a fine float to everybody
            if type(value) is int and field.type is float:
                object.__setattr__(self, field.name, float(value))
            elif type(value) is not field.type:
                expected = getattr(field.type, "__name__", field.type)
                raise RecipeError(f"recipe field {field.name}={value!r}: expected {expected}")
        for name, choices in (
            ("network", NETWORKS),
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("augmentation", AUGMENTATIONS),
            ("precision", PRECISIONS),
        ):
            if getattr(self, name) not in choices:
                raise RecipeError(
                    f"recipe field {name}={getattr(self, name)!r}: expected {', '.join(choices)}"
                )
        for name, most in (
            ("batch_size", MAX_BATCH_SIZE),
            ("steps", MAX_STEPS),
            ("log_every", MAX_STEPS),
            ("checkpoint_every", MAX_STEPS),
        ):
            if getattr(self, name) < 1:
                raise RecipeError(f"recipe field {name}={getattr(self, name)}: expected at least 1")
            if getattr(self, name) > most:
                raise RecipeError(f"recipe field {name} is above {most:,}")
        for name in ("dropout", "warmup", "label_smoothing", "beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise RecipeError(f"recipe field {name}={getattr(self, name)}: expected [0, 1)")
        for name in ("learning_rate", "weight_decay"):
            # written so that NaN fails too
            if not 0 <= getattr(self, name) < float("inf"):
                raise RecipeError(f"recipe field {name}={getattr(self, name)}: expected [0, inf)")

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of the update that brings the run from `step` to `step + 1`."""
        if self.schedule == "constant":
            return self.learning_rate
        # +1: the first update moves at all, and the last one has a rate above 0 as well
        up = self.warmup * self.steps
        down = self.steps + 1 - up
        return self.learning_rate * min((step + 1) / max(up, 1.0), (self.steps - step) / down)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: object) -> "Recipe":
        """Rebuild a recipe from `to_dict`'s values, trusting none of them.

        Raises:
            RecipeError: not a dictionary, an unknown or missing field, or a value that cannot be.
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
        """What of `other` would train another model, as lines `field: mine -> other's`.

        How often a run logs or saves changes nothing, and a run may go on to a later last step.
        """
        free = {"name", "steps", "log_every", "checkpoint_every"}
        mine, theirs = self.to_dict(), other.to_dict()
        return [
            f"{key}: {mine[key]!r} -> {theirs[key]!r}"
            for key in mine
            if key not in free and mine[key] != theirs[key]
        ]


RECIPES: Final[dict[str, Recipe]] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="standard",
            learning_rate=0.002,
            steps=2000,
            checkpoint_every=500,
        ),
        # The TensorFlow 1.x tutorial `cnn_mnist.py`, to the letter.
        Recipe(
            name="tutorial",
            optimizer="sgd",
            learning_rate=0.001,
            schedule="constant",
            warmup=0.0,
            steps=20_000,
        ),
        Recipe(
            name="fast",
            network="small",
            dropout=0.0,
            # Adam forgets sooner, as in https://github.com/tuomaso/train_mnist_fast: a run is short
            beta1=0.7,
            beta2=0.9,
            learning_rate=0.03,
            label_smoothing=0.1,
            batch_size=250,
            precision="bfloat16",
            steps=115,
            log_every=20,
        ),
        # The reference network, trained as well as it can be.
        Recipe(
            name="accurate",
            network="cnn-bn",
            learning_rate=0.003,
            label_smoothing=0.1,
            augmentation="elastic",
            precision="bfloat16",
            steps=9_000,
            checkpoint_every=1000,
        ),
        Recipe(
            name="best",
            network="deep",
            dropout=0.0,
            learning_rate=0.006,
            label_smoothing=0.1,
            augmentation="elastic",
            precision="bfloat16",
            steps=18_000,
            checkpoint_every=2000,
        ),
    )
}


def named(name: str, **changes: Any) -> Recipe:
    """A named recipe, with the fields in `changes` replaced.

    Raises:
        RecipeError: no recipe has this name, or a change cannot be.
    """
    if name not in RECIPES:
        raise RecipeError(f"no recipe is called {name!r}: expected {', '.join(RECIPES)}")
    return Recipe.from_dict(RECIPES[name].to_dict() | changes)
