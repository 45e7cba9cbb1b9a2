"""Print the result of a measurement with what it was measured on."""

import json
from importlib.metadata import version
from typing import Any

from cnn_mnist.machine import machine, versions


def print_result(result: dict[str, Any], *packages: str) -> None:
    """Print a result as one line of JSON, with the machine and the versions of the software.

    Args:
        result: plain JSON values.
        packages: further packages whose versions are added.
    """
    further = {name: version(name) for name in packages}
    print(json.dumps(result | {"versions": versions() | further, "machine": machine()}))
