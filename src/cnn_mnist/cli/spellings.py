"""Answer a flag that does not exist, but has a usual name, with the one that does it."""

from typing import Final

import click

from cnn_mnist.recipe_text import FIELDS, SPELLINGS

_FLAGS: Final = {
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "dataset": "data",
    "train_data": "data",
    "log_dir": "run_dir",
    "model_dir": "run_dir",
    "output_dir": "run_dir",
    "random_seed": "seed",
}
"""Names of flags in use elsewhere, and what they are called here."""


class TrainingCommand(click.Command):
    """A command with the flags of training; an unknown flag is answered with the one to use."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            flag = self._flag_for(error.option_name, given)
            if flag is None:
                raise
            message = f"No such option {error.option_name!r}: use {flag}"
            raise click.NoSuchOption(error.option_name, message, ctx=ctx) from None

    def _flag_for(self, option: str, given: list[str]) -> str | None:
        """Return the flag that does what an unknown one asks for, with its value."""
        name = option.lstrip("-").replace("-", "_").lower()
        name = (SPELLINGS | _FLAGS).get(name, name)
        flag = f"--{name.replace('_', '-')}"
        value = _value_of(option, given)
        for parameter in self.params:
            if flag in parameter.opts:
                takes_value = not getattr(parameter, "is_flag", False)
                return f"{flag} {value or 'VALUE'}" if takes_value else flag
        if name not in FIELDS:
            return None
        return f"--set {name}={value or ('true' if FIELDS[name] is bool else 'VALUE')}"


def _value_of(option: str, given: list[str]) -> str | None:
    """Return what was given as an option's value."""
    for place, argument in enumerate(given):
        if argument.startswith(f"{option}="):
            return argument.partition("=")[2]
        if argument == option:
            following = given[place + 1 : place + 2]
            return following[0] if following and not following[0].startswith("--") else None
    return None
