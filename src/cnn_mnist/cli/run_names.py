"""Name the run directory of a command that was given none."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any, Final

from cnn_mnist.recipe import RECIPES, Recipe

_FREE: Final = ("name", "steps", "log_every", "checkpoint_every")
"""Fields that may change within a run, see `Recipe.differences`."""
_SHORT: Final = {
    "learning_rate": "lr",
    "batch_size": "batch",
    "weight_decay": "decay",
    "label_smoothing": "smooth",
}
_LONGEST: Final = 60
_HASH_LENGTH: Final = 8


def default_run_dir(recipe: Recipe, dataset: str, last: str) -> Path:
    """Return `runs/RECIPE-CHANGES-DATA-LAST`, the same for the same settings and no others.

    The changes are those to the named recipe. Where they are many, or cannot all be written in a
    file name, and where no named recipe has the name, they end in a hash of all settings.
    """
    words, whole = [recipe.name], recipe.name in RECIPES
    if whole:
        changes = _changes(recipe, RECIPES[recipe.name])
        words += [_word(field, value) for field, value in changes.items()]
    text = "-".join(words)
    safe = re.sub(r"[^\w.+-]", "-", text.replace(":", "."), flags=re.ASCII).lstrip(".")
    if not whole or safe != text.replace(":", ".") or len(safe) > _LONGEST:
        settings = {key: value for key, value in recipe.to_dict().items() if key not in _FREE}
        content = json.dumps([recipe.name, settings], sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()
        safe = f"{safe[:_LONGEST].rstrip('-')}-{digest[:_HASH_LENGTH]}"
    folder = re.sub(r"[/\\:]", "-", dataset)
    return Path("runs", f"{safe}-{folder}-{last}")


def _changes(recipe: Recipe, named: Recipe) -> dict[str, Any]:
    """Return the settings that differ, each option of the optimizer on its own."""
    ours, theirs = recipe.to_dict(), named.to_dict()
    changes = {key: ours[key] for key in ours if key not in _FREE and ours[key] != theirs[key]}
    options = changes.pop("optimizer_options", {})
    return changes | dict(sorted(options.items()))


def _word(field: str, value: object) -> str:
    """Return a setting as a word of a file name: a name alone, a number after its field."""
    if isinstance(value, str):
        return value
    name = _SHORT.get(field, field.replace("_", ""))
    if isinstance(value, bool):
        return name if value else f"no{name}"
    return f"{name}{value}"
