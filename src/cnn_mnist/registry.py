"""Find the package's own parts by name, and a user's by `module:function`.

A part of one kind - a network, an optimizer, a schedule, an augmentation, a hook - is added by a
decorator on the function that makes it. A user's own function is imported only when a person names
it (`Registry.resolve`), or given as it is in Python (`Registry.add`); a name that comes from a file
is only looked up (`Registry.get`), so that opening somebody's run or recipe never runs their code.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Generic, TypeVar

from cnn_mnist.errors import RecipeError, first_line

Part = TypeVar("Part")


class Registry(Generic[Part]):
    """The parts of one kind by name.

    Args:
        kind: what a part is called in messages, such as `network`.
        home: the module or package whose import registers the package's own parts.
        named_by: how a person names a part of his own: with `{name}` in its place.
    """

    def __init__(self, kind: str, home: str, named_by: str = "") -> None:
        self.kind = kind
        self._home = home
        self._named_by = named_by or f"--set {kind}={{name}}"
        self._parts: dict[str, Part] = {}
        self._unlisted: set[str] = set()

    def register(self, name: str, *, listed: bool = True) -> Callable[[Part], Part]:
        """Return a decorator that adds a part under a name.

        Args:
            name: its name.
            listed: whether it is among `names`; not where it is known only to be refused.
        """

        def add(part: Part) -> Part:
            if not listed:
                self._unlisted.add(name)
            if self._parts.setdefault(name, part) is not part:
                raise RecipeError(f"two {self.kind}s are called {name!r}: choose another name")
            return part

        return add

    def names(self) -> list[str]:
        """Return the names that a person may choose from, in alphabetical order."""
        self._import_own()
        return sorted(self._parts.keys() - self._unlisted)

    def _import_own(self) -> None:
        """Import the package's own parts."""
        home = import_module(self._home)
        for module in iter_modules(getattr(home, "__path__", ())):
            import_module(f"{self._home}.{module.name}")

    @staticmethod
    def is_own(name: str) -> bool:
        """Return whether a name is that of a user's own part: `module:function`."""
        return ":" in name

    def get(self, name: str) -> Part:
        """Return a part that is registered.

        Raises:
            RecipeError: no part has this name; the line says how a part of the user's own is named,
                or lists those that there are.
        """
        if name not in self._parts:
            self._import_own()
        if name not in self._parts:
            if self.is_own(name):
                raise RecipeError(
                    f"the {self.kind} is {name}, which is your own: name it with "
                    f"{self._named_by.format(name=name)}"
                )
            raise RecipeError(
                f"no {self.kind} is called {name!r}: expected {', '.join(self.names())}, or your "
                "own as module:function or FILE.py:function"
            )
        return self._parts[name]

    def resolve(self, text: str) -> str:
        """Return the name under which `get` knows a part that a person named.

        Args:
            text: a name; or `module:function`, the module where Python looks or in the current
                directory; or `FILE.py:function`. Only here are they imported.

        Raises:
            RecipeError: no part has this name, or the module or its function cannot be imported.
        """
        place, colon, function = text.rpartition(":")
        if not colon or text in self._parts:
            self.get(text)
            return text
        try:
            module = _file_module(Path(place)) if place.endswith(".py") else _module(place)
            part: Part = attrgetter(function)(module)
        except (Exception, SystemExit) as error:  # whatever the user's module raises
            raise RecipeError(
                f"{self.kind} {text!r} cannot be imported: {first_line(error)}: expected "
                "module:function, the module here or where Python looks, or FILE.py:function"
            ) from error
        if not callable(part):
            raise RecipeError(f"{self.kind} {text!r} is not a function")
        name = f"{Path(place).stem if place.endswith('.py') else place}:{function}"
        self._parts[name] = part
        return name

    def add(self, part: Part) -> str:
        """Return the name under which `get` knows a function or class: `module:function`.

        The module of a script is called after its file. A function that replaces one of the same
        name, as in a notebook, takes its place.

        Raises:
            RecipeError: it has no name.
        """
        for name, known in self._parts.items():
            if known is part:
                return name
        function = getattr(part, "__qualname__", "")
        if not callable(part) or not function or "<lambda>" in function:
            raise RecipeError(
                f"{self.kind}={part!r:.60}: expected a function or class with a name, by which its "
                "runs are known, and which makes a new one at each call"
            )
        name = f"{_home_of(part)}:{function}"
        self._parts[name] = part
        return name


def _home_of(part: object) -> str:
    """Return the name of a function's module."""
    main = _main_file()
    if part.__module__ in ("__main__", "__mp_main__") and main:
        return main.stem
    return part.__module__


def _main_file() -> Path | None:
    """Return the script that has been started; None in a notebook."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    return Path(file).resolve() if file else None


def _module(name: str) -> ModuleType:
    """Import a module; one of the current directory and the script that runs, too."""
    main = _main_file()
    if name not in sys.modules and main and main.stem == name:
        return sys.modules["__main__"]  # not once more under its own name
    _look_in(Path.cwd())
    return import_module(name)


def _file_module(path: Path) -> ModuleType:
    """Import a file as the module of its name, so that another process finds it by that name.

    Raises:
        ImportError: there is no such file, or another module has this name.
    """
    path = path.expanduser().resolve()
    if not path.is_file():
        raise ImportError(f"{path} does not exist")
    if path == _main_file():
        return sys.modules["__main__"]
    _look_in(path.parent)
    spec = find_spec(path.stem)
    if spec is None or spec.origin is None or Path(spec.origin).resolve() != path:
        raise ImportError(f"another module is called {path.stem}, rename the file")
    return import_module(path.stem)


def _look_in(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
