"""Lay out a run directory: where a run keeps what it is, what it measured and what it made.

    recipe.json         recipe, data set and its hash, seed, versions, machine; see `identity`
    metrics.jsonl       one object a line
    checkpoints/        see `checkpoint`
    best/               the checkpoint with the lowest validation loss, where it was asked for
    model.onnx          the trained network, ready to use
    evaluation.json     its metrics on the test set
    report/             the report of the run, one page

All of it is read by public tools; nothing in it runs code.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cnn_mnist.errors import RunError, os_errors_as
from cnn_mnist.files import read_bounded

_MAX_METRICS_BYTES: Final = 1 << 28


@dataclass(frozen=True)
class Run:
    """The paths of a run directory; none of them need exist."""

    path: Path

    @property
    def recipe_file(self) -> Path:
        """What the run is."""
        return self.path / "recipe.json"

    @property
    def metrics_file(self) -> Path:
        """The metrics of its training."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """The folder of its checkpoints."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The folder of its best checkpoint, laid out as `checkpoints`; see `training.best`."""
        return self.path / "best"

    @property
    def model_file(self) -> Path:
        """The exported network."""
        return self.path / "model.onnx"

    @property
    def evaluation_file(self) -> Path:
        """The test metrics of the finished run."""
        return self.path / "evaluation.json"

    @property
    def report_file(self) -> Path:
        """The report of the run."""
        return self.path / "report" / "index.html"


def drop_old_checksums(run: Run) -> None:
    """Remove the list of checksums that version 0.1 kept of a run's results, before they change."""
    with os_errors_as(RunError, f"{run.path} cannot be written"):
        (run.path / "SHA256SUMS").unlink(missing_ok=True)


def require_own_folder(run: Run) -> None:
    """Raise `RunError` where a run would be mixed with other files: a folder without recipe.json.

    The same where there is a file in place of the folder, or of one around it.

    Hidden files do not count: a run's own lock and temporary files, and those of file managers.
    """
    with os_errors_as(RunError, f"{run.path} cannot be read"):
        for path in (run.path, *run.path.parents):
            if path.exists() and not path.is_dir():
                raise RunError(
                    f"{path} is a file, and a directory is expected: choose another run directory"
                )
        names = {path.name for path in run.path.iterdir()} if run.path.is_dir() else set()
    others = sorted(name for name in names if not name.startswith("."))
    if others and run.recipe_file.name not in names:
        raise RunError(
            f"{run.path} is not a run directory: it has no recipe.json, but holds "
            f"{', '.join(others[:3])}{', ...' if others[3:] else ''}: choose a new or empty folder"
        )


def read_metrics(run: Run) -> list[dict[str, float]]:
    """Read `metrics.jsonl`, without lines that a killed run left torn; empty where there is none.

    Raises:
        RunError: the file cannot be read.
    """
    with os_errors_as(RunError, f"{run.metrics_file} cannot be read"):
        if not run.metrics_file.exists():
            return []
        lines = read_bounded(run.metrics_file, _MAX_METRICS_BYTES).splitlines()
    rows = []
    for line in lines:
        with suppress(ValueError, RecursionError):
            row = json.loads(line)
            if isinstance(row, dict) and all(type(value) in (int, float) for value in row.values()):
                rows.append(row)
    return [row for row in rows if "step" in row]
