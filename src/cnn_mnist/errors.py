"""Define every error that this package raises on purpose.

    CnnMnistError
    ├── RecipeError (also a ValueError)   an unknown name or an impossible value in a recipe
    ├── DataError                         data missing, damaged or of the wrong form
    │   └── DownloadError                 no mirror delivered the right bytes
    ├── ImageError                        an image that cannot be decoded
    │   └── ImageSizeError                an image with too many bytes or pixels
    ├── ModelError                        a model file that cannot be used
    ├── CheckpointError                   a checkpoint that cannot be written or read
    ├── RunError                          a run directory that cannot be used as asked
    ├── NonFiniteLossError                training reached NaN or infinity
    ├── HookError                         a hook failed; the last checkpoint is whole
    ├── WorkerError                       a process of a parallel training failed
    │   └── WorkerLostError               the other processes cannot be reached
    ├── ExportError                       an export that cannot be written or differs from source
    ├── MissingExtraError                 an optional dependency is not installed
    ├── ServeError                        a server that cannot start
    ├── BusyError                         a server without room for another request
    └── Interrupted                       SIGINT or SIGTERM; a checkpoint was written first
    CnnMnistWarning (a UserWarning)       the work goes on, but not exactly as asked

Each message is one line for the user: what is wrong, where, and the way out. The command line
prints it and exits with `exit_code`; nothing else in the package calls `sys.exit`.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class CnnMnistError(Exception):
    """Base of every deliberate error."""

    exit_code = 3


class CnnMnistWarning(UserWarning):
    """The work goes on, but not exactly as asked: other data, an older checkpoint."""


class RecipeError(CnnMnistError, ValueError):
    """A recipe has an unknown name or a field with an impossible value."""


class DataError(CnnMnistError):
    """A data file is missing, damaged, swapped, or of the wrong form."""


class DownloadError(DataError):
    """No mirror delivered the right bytes of a file, or there is nowhere to store them."""


class ImageError(CnnMnistError):
    """A file is not an image, or cannot be decoded safely."""


class ImageSizeError(ImageError):
    """An image has more bytes or pixels than are allowed."""


class ModelError(CnnMnistError):
    """A model file is missing, damaged, or not of this package's form."""


class CheckpointError(CnnMnistError):
    """A checkpoint cannot be written, or is damaged."""


class RunError(CnnMnistError):
    """A run directory does not exist, is damaged, or belongs to another recipe."""


class NonFiniteLossError(CnnMnistError):
    """The training loss became NaN or infinite."""


class HookError(CnnMnistError):
    """A hook failed and ended the run."""


class WorkerError(CnnMnistError):
    """A process of a parallel training failed; carries that process's own error and exit code."""

    def __init__(self, message: str, exit_code: int = CnnMnistError.exit_code) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class WorkerLostError(WorkerError):
    """The other processes of a parallel training cannot be reached any more."""


class ExportError(CnnMnistError):
    """An export cannot be written, or the exported model differs from its source."""


class MissingExtraError(CnnMnistError):
    """A command needs a library that the plain installation leaves out."""


class ServeError(CnnMnistError):
    """The server cannot start with the given port or token file."""


class BusyError(CnnMnistError):
    """The server cannot take a request now: its queue is full, or it is stopping."""


class Interrupted(CnnMnistError):  # noqa: N818 - the user asked for it, so it is not an error
    """A signal stopped the run after a checkpoint was written."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number

    def __reduce__(self) -> tuple[type["Interrupted"], tuple[str, int]]:
        """Rebuild it with the signal number when it passes between processes."""
        return type(self), (str(self), self.exit_code - 128)


@contextmanager
def os_errors_as(kind: type[CnnMnistError], what: object) -> Iterator[None]:
    """Turn an `OSError` inside the block into one line `WHAT: REASON` of the package's own kind.

    Args:
        kind: the error to raise instead.
        what: what failed, such as `runs/a/recipe.json cannot be written`.

    Raises:
        CnnMnistError: of `kind`, where the operating system refused something inside the block.
    """
    try:
        yield
    except OSError as error:
        raise kind(f"{what}: {reason_of(error)}") from error


def reason_of(error: OSError) -> str:
    """Return the operating system's words for an error, without its number and path."""
    return str(error.strerror or error)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type's name where it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


@contextmanager
def needs_extra(extra: str, purpose: str) -> Iterator[None]:
    """Turn a missing third-party module into a line that names the extra to install.

    Args:
        extra: the extra of this package that brings the module, such as `train`.
        purpose: what was asked for, as the subject of the message.

    Raises:
        MissingExtraError: an import inside the block found no such module.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("cnn_mnist"):
            raise
        raise MissingExtraError(
            f"{purpose} needs {error.name}, which is not installed: "
            f"pip install 'cnn-mnist[{extra}]'"
        ) from error
