"""The command `cnn-mnist report`."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnn_mnist.cli.options import FILE, data_dir_option, data_option, json_option, load_data
from cnn_mnist.cli.output import emit
from cnn_mnist.cli.own_network import own_networks_option, resolve_network
from cnn_mnist.errors import RunError, needs_extra

if TYPE_CHECKING:
    from cnn_mnist.data.dataset import Dataset


@click.command()
@click.argument("run_dirs", type=FILE, nargs=-1, required=True, metavar="R...")
@click.option(
    "--out",
    type=FILE,
    metavar="OUT.html",
    help="The page to write.  [default: R/report/index.html; for several runs, "
    "report/comparison.html in the first]",
)
@data_option
@data_dir_option
@own_networks_option
@json_option
def report(
    run_dirs: tuple[Path, ...],
    out: Path | None,
    data: str | None,
    data_dir: Path | None,
    networks: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write a report of a run as one HTML page.

    The page shows test metrics, recipe, layers, training curves, confusion matrix, calibration, the
    worst mistakes, filters, and the activations of one digit. Several runs are shown side by side.
    The test metrics are computed from each run's best or newest checkpoint.
    """
    from cnn_mnist.runs.identity import data_of_run, require_identity
    from cnn_mnist.runs.run import Run

    with needs_extra("train", "a report"):
        import torch  # noqa: F401 - so that a missing torch is reported as the extra `train`
    with needs_extra("plot", "a report"):
        from cnn_mnist.report import summarize, write_report

    _resolve_networks(networks, run_dirs)
    datasets: dict[str, Dataset] = {}
    summaries = []
    for run_dir in run_dirs:
        identity = require_identity(Run(run_dir))
        key = data or identity.dataset_sha256
        if key not in datasets:
            datasets[key] = load_data(data, data_dir, None if data else identity, what=run_dir)
        dataset = data_of_run(run_dir, identity, datasets[key], asked=data is not None)
        summaries.append(summarize(run_dir, dataset))
    path = out or Run(run_dirs[0]).report_file
    if out is None and len(run_dirs) > 1:
        path = path.with_name("comparison.html")
    write_report(summaries, path)
    emit({"path": str(path)}, as_json=as_json, text=f"report: {path}")


def _resolve_networks(networks: tuple[str, ...], run_dirs: tuple[Path, ...]) -> None:
    """Import the networks that `--network` names.

    Raises:
        RunError: none of the runs has it.
    """
    from cnn_mnist.runs.identity import require_identity
    from cnn_mnist.runs.run import Run

    known = {require_identity(Run(run_dir)).recipe.network for run_dir in run_dirs}
    for name in map(resolve_network, networks):
        if name not in known:
            raise RunError(f"the network of the runs is {', '.join(sorted(known))}, not {name}")


def write_report_of(run_dir: Path, dataset: "Dataset") -> Path | None:
    """Write the report of a run that was just trained.

    Returns:
        The page; None where matplotlib or jinja2 is not installed.
    """
    if find_spec("matplotlib") is None or find_spec("jinja2") is None:
        return None
    from cnn_mnist.report import summarize, write_report
    from cnn_mnist.runs.run import Run

    path = Run(run_dir).report_file
    write_report([summarize(run_dir, dataset)], path)
    return path
