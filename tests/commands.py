"""Run `cnn-mnist` in this process, as the tests of several wings do."""

import json
from typing import Any

from click.testing import CliRunner, Result

from cnn_mnist.cli import cli


def invoke(*args: object, stdin: bytes | None = None) -> Result:
    """Run a command."""
    return CliRunner().invoke(cli, [str(arg) for arg in args], input=stdin)


def result_of(*args: object, stdin: bytes | None = None) -> Any:
    """Return the JSON object on the last line of a command that must succeed."""
    result = invoke(*args, "--json", stdin=stdin)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def refusal(*args: object, exit_code: int = 3) -> str:
    """Return the one error line of a command that must fail."""
    result = invoke(*args)
    assert result.exit_code == exit_code, (result.exit_code, result.stderr, result.exception)
    errors = [line for line in result.stderr.splitlines() if line.lower().startswith("error: ")]
    assert len(errors) == 1, result.stderr
    assert "Traceback" not in result.output
    return errors[0]
