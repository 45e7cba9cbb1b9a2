"""Make the hook that a person names: `module:factory` or `FILE.py:factory`."""

import inspect
from typing import Any, Final

from cnn_mnist.errors import HookError, RecipeError, first_line
from cnn_mnist.runs.run import Run
from cnn_mnist.training.hooks.hook import HOOKS, Hook

_EXPECTED: Final = "(run: Run) -> Hook"


def make_hook(text: str, run: Run) -> Hook:
    """Import a user's factory and return the hook that it makes for a run.

    Args:
        text: what `Registry.resolve` takes. The factory is a function `(run: Run) -> Hook`, or a
            class of `Hook` without arguments.
        run: the run that is about to be trained.

    Raises:
        HookError: it cannot be imported, fails, or returns something else than a hook.
    """
    try:
        factory: Any = HOOKS.get(HOOKS.resolve(text))
    except RecipeError as error:
        raise HookError(str(error)) from error
    arguments = _arguments(factory, text, run)
    try:
        hook = factory(*arguments)
    except Exception as error:  # whatever the user's function raises
        kind = type(error).__name__
        raise HookError(f"the hook {text} cannot be made: {kind}: {first_line(error)}") from error
    if not isinstance(hook, Hook):
        raise HookError(
            f"{text} returned a {type(hook).__name__} and not a hook: write a function {_EXPECTED}"
        )
    return hook


def _arguments(factory: Any, text: str, run: Run) -> tuple[Run, ...]:
    """Return what a factory is called with: the run, or of a class without arguments nothing.

    Raises:
        HookError: it takes something else.
    """
    try:
        takes = inspect.signature(factory)
    except ValueError:  # some that are written in C have none
        return (run,)
    if isinstance(factory, type) and not takes.parameters:
        return ()
    try:
        takes.bind(run)
    except TypeError as error:
        raise HookError(
            f"the hook {text} is called with one argument, the run, but takes {takes}: write a "
            f"function {_EXPECTED}, or a class of Hook without arguments"
        ) from error
    return (run,)
