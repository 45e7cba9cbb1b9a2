"""What the programs of benchmarks/ have printed."""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"


def result(name: str) -> dict[str, Any]:
    """The JSON object in benchmarks/results/NAME.json."""
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return content
