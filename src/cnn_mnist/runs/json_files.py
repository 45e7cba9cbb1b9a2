"""Read and write the small JSON files of a run directory."""

import json
from pathlib import Path
from typing import Any, Final

from cnn_mnist.errors import RunError, os_errors_as
from cnn_mnist.files import read_bounded, replace

MAX_JSON_BYTES: Final = 1 << 20


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None where there is no such file.

    Raises:
        RunError: the file cannot be read, or does not hold a JSON object.
    """
    with os_errors_as(RunError, f"{path} cannot be read"):
        if not path.exists():
            return None
        content = read_bounded(path, MAX_JSON_BYTES)
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {error}") from error
    if not isinstance(values, dict):
        raise RunError(f"{path} is damaged: it does not hold a JSON object")
    return values


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file in one step, its folder created where missing.

    Raises:
        RunError: it cannot be written.
    """
    with os_errors_as(RunError, f"{path} cannot be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())
