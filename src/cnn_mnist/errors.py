"""Every error that this package raises on purpose.

    CnnMnistError
    ├── RecipeError (also a ValueError)   a recipe that cannot be
    ├── DataError                         data missing, damaged or of the wrong form
    │   └── DownloadError                 no mirror gave the true bytes
    ├── ImageError                        a picture that cannot be decoded
    │   └── ImageSizeError                one with more bytes or pixels than are allowed
    ├── ModelError                        a model file that cannot be used
    ├── CheckpointError                   a checkpoint that cannot be written or read
    ├── RunError                          a run directory that cannot be used as asked
    ├── NonFiniteLossError                training went to NaN or infinity
    ├── HookError                         a hook failed; the last checkpoint is whole
    ├── WorkerError                       a process of a parallel training failed
    │   └── WorkerLostError               the others cannot be reached any more
    ├── ExportError                       an export that cannot be written, or is not its source
    ├── MissingExtraError                 an optional dependency is not installed
    ├── ServeError                        a server that cannot start
    ├── BusyError                         a server that has no room for a request now
    └── Interrupted                       SIGINT or SIGTERM; a checkpoint was written first
    CnnMnistWarning (a UserWarning)       the work goes on, but not quite as asked

Each message is one line for the user: what is wrong, where, and the way out. The command line
prints it and exits with `exit_code`; nothing else in the package calls `sys.exit`.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class CnnMnistError(Exception):
    """Base of every deliberate error."""

    exit_code = 3


class CnnMnistWarning(UserWarning):
    """The work goes on, but not quite as asked: other data, an older checkpoint."""


class RecipeError(CnnMnistError, ValueError):
    """A recipe has an unknown name, or a field with a value that cannot be."""


class DataError(CnnMnistError):
    """A data file is missing, damaged, swapped, or of the wrong form."""


class DownloadError(DataError):
    """No mirror gave the true bytes of a file, or there is no place to keep them."""


class ImageError(CnnMnistError):
    """A file is no picture, or one too large to decode safely."""


class ImageSizeError(ImageError):
    """A picture has more bytes or pixels than are allowed."""


class ModelError(CnnMnistError):
    """A model file is missing, damaged, or not of this package's form."""


class CheckpointError(CnnMnistError):
    """A checkpoint could not be written, or is damaged."""


class RunError(CnnMnistError):
    """A run directory does not exist, is damaged, or belongs to another recipe."""


class NonFiniteLossError(CnnMnistError):
    """The training loss became NaN or infinite."""


class HookError(CnnMnistError):
    """What watched a run failed, and ended it."""


class WorkerError(CnnMnistError):
    """One of the processes that train together failed; its own error, where it left one."""

    def __init__(self, message: str, exit_code: int = CnnMnistError.exit_code) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class WorkerLostError(WorkerError):
    """The other processes that train with this one cannot be reached any more."""


class ExportError(CnnMnistError):
    """An export cannot be written, or an exported model does not give what its source gives."""


class MissingExtraError(CnnMnistError):
    """A verb needs a library that the plain installation leaves out."""


class ServeError(CnnMnistError):
    """The server cannot start as asked: its port, its token file."""


class BusyError(CnnMnistError):
    """The server has no room for a request now: its queue is full, or it is stopping."""


class Interrupted(CnnMnistError):  # noqa: N818 - the user asked for it: it is no error
    """A signal stopped the run after a checkpoint was written."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number

    def __reduce__(self) -> tuple[type["Interrupted"], tuple[str, int]]:
        """How it passes from one process to another."""
        return type(self), (str(self), self.exit_code - 128)


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
