"""Run the command line: `cnn-mnist VERB`.

Each verb has its own file, which parses its flags, calls the package and prints the result. Slow
imports are inside the verb that needs them.
"""

import os
import sys
import warnings
from importlib import import_module
from typing import Final

import click

from cnn_mnist import __version__
from cnn_mnist.cli.output import printable
from cnn_mnist.errors import CnnMnistError, CnnMnistWarning, reason_of

INTERRUPTED: Final = 130
CLOSED_PIPE: Final = 141

VERBS: Final = ("train", "evaluate", "predict", "serve", "trials", "compare", "report", "export",
                "import", "recipe", "model", "data")  # fmt: skip
"""In the order of use."""


class _Verbs(click.Group):
    """Import a verb when it is called, and print the package's errors as one line each."""

    def invoke(self, ctx: click.Context) -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("always", CnnMnistWarning)
            warnings.showwarning = lambda message, *_: _print("warning", str(message))
            try:
                result = super().invoke(ctx)
                sys.stdout.flush()
                return result
            except BrokenPipeError:  # as Unix tools end where the reader, such as head, has gone
                # what is still buffered must not fail once more when Python ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                ctx.exit(CLOSED_PIPE)
            except CnnMnistError as error:
                _print("error", str(error))
                ctx.exit(error.exit_code)
            except OSError as error:  # a path from the user that cannot be used
                _print("error", f"{error.filename or 'input or output'}: {reason_of(error)}")
                ctx.exit(CnnMnistError.exit_code)
            except KeyboardInterrupt:
                _print("error", "interrupted")
                ctx.exit(INTERRUPTED)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        name = "import_" if cmd_name == "import" else cmd_name  # a keyword of Python
        command: click.Command = getattr(import_module(f"{__name__}.{name}"), name)
        return command


def _print(kind: str, message: str) -> None:
    click.secho(f"{kind}: ", fg="red" if kind == "error" else "yellow", err=True, nl=False)
    click.echo(printable(" ".join(message.split())), err=True)


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Shell completion: eval "$(_CNN_MNIST_COMPLETE=bash_source cnn-mnist)" '
    "(or zsh_source, fish_source).",
)
@click.version_option(__version__)
def cli() -> None:
    """Train, evaluate, use and serve convolutional networks that read handwritten digits.

    Start with `cnn-mnist train`. With --json, which every command but serve takes, the last line of
    standard output is one JSON object. Exit codes: 0 done, 2 wrong usage, 3 bad input or data, 130
    interrupted by Ctrl-C (143 by SIGTERM); training writes a checkpoint first.
    """


def main() -> None:
    """Run the command line; the entry point of `cnn-mnist`."""
    # UTF-8 for pipes and files, too: the output must not depend on the locale
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")
    cli(prog_name="cnn-mnist")
