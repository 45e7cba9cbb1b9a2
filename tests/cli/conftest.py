"""A trained run for the tests of several commands."""

from pathlib import Path
from typing import Any

import pytest
from commands import result_of


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A run directory, and the JSON result of `train`."""
    run_dir = tmp_path_factory.mktemp("cli") / "run"
    result = result_of(
        *("train", "--data", "digits", "--network", "small"),
        *("--steps", 600, "--run-dir", run_dir, "--seed", 1),  # enough for 8-bit rounding
    )
    return run_dir, result
