"""Name the classes of a data set: `0`, `1` and so on, or names of the user's own."""

from collections.abc import Sequence
from typing import Final

from cnn_mnist.recipe import MAX_CLASSES

MAX_LENGTH: Final = 64
"""Characters of a name: longer ones fit in no table."""


def default_names(classes: int) -> tuple[str, ...]:
    """Return the names of classes that nobody named: their numbers."""
    return tuple(map(str, range(classes)))


def checked_names(names: object) -> tuple[str, ...]:
    """Return the class names from a file, or from a user's folders, where they can be shown.

    Args:
        names: a sequence of 1 to `MAX_CLASSES` distinct strings of 1 to `MAX_LENGTH` printable
            characters.

    Raises:
        ValueError: they are something else.
    """
    if not isinstance(names, Sequence) or isinstance(names, str | bytes):
        raise ValueError(f"class names are {names!r:.100}, not a list")
    if not 1 <= len(names) <= MAX_CLASSES:
        raise ValueError(f"there are {len(names)} class names, not 1 to {MAX_CLASSES}")
    for name in names:
        if not isinstance(name, str):
            raise ValueError(f"the class name {name!r:.100} is not a text")
        if not name.strip() or not name.isprintable() or len(name) > MAX_LENGTH:
            raise ValueError(
                f"the class name {name!r:.100} is not one of 1 to {MAX_LENGTH} printable characters"
            )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"two classes have the name {twice!r}")
    return tuple(names)


def are_numbers(names: tuple[str, ...]) -> bool:
    """Return whether nobody named the classes: their names are their numbers."""
    return names == default_names(len(names))


def are_digits(names: tuple[str, ...]) -> bool:
    """Return whether classes are digits by their names, or have no names but their numbers."""
    return set(names) <= set(default_names(10)) or are_numbers(names)
