"""Find the package's own parts by name, and a user's by `module:function`.

A part of one kind - a network, an optimizer, a schedule, an augmentation, a hook - is added by a
decorator on the function that makes it. A user's own function is imported only when a person names
it (`Registry.resolve`); a name that comes from a file is only looked up (`Registry.get`), so that
opening somebody's run or recipe never runs their code.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Generic, TypeVar

from cnn_mnist.errors import RecipeError

Part = TypeVar("Part")


class Registry(Generic[Part]):
    """The parts of one kind by name.

    Args:
        kind: what a part is called in messages, such as `network`.
        home: the module or package whose import registers the package's own parts.
    """

    def __init__(self, kind: str, home: str) -> None:
        self.kind = kind
        self._home = home
        self._parts: dict[str, Part] = {}

    def register(self, name: str) -> Callable[[Part], Part]:
        """Return a decorator that adds a part under a name."""

        def add(part: Part) -> Part:
            self._parts[name] = part
            return part

        return add

    def names(self) -> list[str]:
        """Return the names of all parts, the package's own included, in alphabetical order."""
        home = import_module(self._home)
        for module in iter_modules(getattr(home, "__path__", ())):
            import_module(f"{self._home}.{module.name}")
        return sorted(self._parts)

    def get(self, name: str) -> Part:
        """Return a part that is registered.

        Raises:
            RecipeError: no part has this name; the line lists those that there are.
        """
        if name not in self._parts and name not in self.names():
            hint = " (your own: name it on the command line or in Python)" if ":" in name else ""
            raise RecipeError(
                f"no {self.kind} is called {name!r}{hint}: expected {', '.join(self._parts)}"
            )
        return self._parts[name]

    def resolve(self, name: str) -> Part:
        """Return a part that a person named; one given as `module:function` is imported.

        Modules are looked for where Python looks, and in the current directory. From then on `get`
        knows the part under this name.

        Raises:
            RecipeError: no part has this name, or the module or its function cannot be imported.
        """
        module, colon, function = name.partition(":")
        if colon and name not in self._parts:
            if (here := str(Path.cwd())) not in sys.path:
                sys.path.insert(0, here)
            try:
                self._parts[name] = getattr(import_module(module), function)
            except (ImportError, AttributeError, ValueError) as error:
                raise RecipeError(f"{self.kind} {name!r} cannot be imported: {error}") from error
        return self.get(name)
