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

from cnn_mnist.errors import RecipeError, first_line

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
            if self._parts.setdefault(name, part) is not part:
                raise RecipeError(f"two {self.kind}s are called {name!r}: choose another name")
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
                f"no {self.kind} is called {name!r}{hint}: expected {', '.join(self.names())}"
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
                sys.path.append(here)
            try:
                part = getattr(import_module(module), function)
            except Exception as error:  # whatever the user's module raises
                raise RecipeError(
                    f"{self.kind} {name!r} cannot be imported: {first_line(error)}: expected "
                    "module:function, the module here or where Python looks"
                ) from error
            if not callable(part):
                raise RecipeError(f"{self.kind} {name!r} is not a function")
            self._parts[name] = part
        return self.get(name)
