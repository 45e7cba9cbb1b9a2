"""The command `cnn-mnist compare`."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnn_mnist.cli.options import (
    FILE,
    data_dir_option,
    data_option,
    json_option,
    load_data,
    split_option,
)
from cnn_mnist.cli.output import emit
from cnn_mnist.cli.own_network import own_networks_option, resolve_network
from cnn_mnist.errors import RunError, needs_extra

if TYPE_CHECKING:
    from cnn_mnist.cli.candidates import Candidate
    from cnn_mnist.data.dataset import Dataset


@click.command()
@click.argument("a", type=FILE, metavar="A")
@click.argument("b", type=FILE, metavar="B")
@data_option
@data_dir_option
@own_networks_option
@split_option
@json_option
def compare(
    a: Path,
    b: Path,
    data: str | None,
    data_dir: Path | None,
    networks: tuple[str, ...],
    split: str,
    as_json: bool,
) -> None:
    """Say by how much B is better than A, and whether that is settled.

    A and B are two runs or model files, compared image by image (McNemar's test), or two folders of
    trials, whose mean accuracies over the seeds are compared (Welch's t-test).

    Prints the difference, its 95 % interval and the p-value, and of trials how many seeds would
    settle such a difference.
    """
    from cnn_mnist.cli.candidates import candidates, is_trials

    with needs_extra("train", "comparing"):
        from cnn_mnist.evaluation.comparison import compare_networks, compare_trials

    for network in networks:
        resolve_network(network)
    for path in (a, b):
        if not path.exists():
            raise RunError(f"{path} does not exist: expected a run, a model file or trials")
    if is_trials(a) != is_trials(b):
        trials, single = (a, b) if is_trials(a) else (b, a)
        raise RunError(
            f"{trials} is a folder of trials and {single} is not: compare two trials, or two runs"
        )
    of_a, of_b = candidates(a), candidates(b)
    dataset = _common_data(of_a[0], of_b[0], data, data_dir)
    about = {"dataset": dataset.name, "dataset_sha256": dataset.sha256, "split": split}
    if is_trials(a):
        arms = [_arm(path, runs, dataset, split) for path, runs in ((a, of_a), (b, of_b))]
        result = compare_trials(arms[0]["accuracies"], arms[1]["accuracies"])
        text = _trials_text
    else:
        right = [found[0].right(dataset, split) for found in (of_a, of_b)]
        arms = [
            {"path": str(path), "accuracy": float(of.mean())}
            for path, of in zip((a, b), right, strict=True)
        ]
        result = compare_networks(*right)
        text = _networks_text
    result = {"a": arms[0], "b": arms[1], **result, **about}
    emit(result, as_json=as_json, text=text(result))


def _common_data(
    a: "Candidate", b: "Candidate", data: str | None, data_dir: Path | None
) -> "Dataset":
    """Load the data set that both networks are scored on.

    Raises:
        RunError: they know different classes, or were trained on different data and none was named.
        DataError: see `load_data`.
    """
    from cnn_mnist.runs.identity import warn_of_other_data

    if a.classes != b.classes:
        raise RunError(
            f"{a.path} has {a.classes} classes and {b.path} has {b.classes}: compare networks with "
            "the same classes"
        )
    hashes = {network.dataset_sha256 for network in (a, b)} - {None}
    if data is None and len(hashes) > 1:
        raise RunError(
            f"{a.path} was trained on {a.dataset} and {b.path} on {b.dataset}, which differ: say "
            "with --data on which images to score both"
        )
    dataset = load_data(data or (None if a.identity else a.dataset), data_dir, a.identity)
    dataset = dataset.split_as(a.dataset_sha256)
    for network in (b,) if a.identity else (a, b):
        if network.dataset:
            warn_of_other_data(network.path, network.dataset, network.dataset_sha256, dataset)
    if dataset.classes > a.classes:
        raise RunError(
            f"{a.path} has {a.classes} classes, {dataset.name} has {dataset.classes}: choose other "
            "networks or another --data"
        )
    return dataset


def _arm(path: Path, runs: "Sequence[Candidate]", dataset: "Dataset", split: str) -> dict[str, Any]:
    """Score every run of trials."""
    accuracies = [float(run.right(dataset, split).mean()) for run in runs]
    return {
        "path": str(path),
        "mean": statistics.mean(accuracies),
        "sd": statistics.stdev(accuracies) if len(runs) > 1 else 0.0,
        "n": len(runs),
        "seeds": [run.identity.seed for run in runs if run.identity],
        "accuracies": accuracies,
    }


def _networks_text(result: dict[str, Any]) -> str:
    lines = [
        f"{name}: accuracy {result[key]['accuracy']:.2%}, right where {other} is wrong on "
        f"{result[f'only_{key}']:,} of {result['n']:,} images   {result[key]['path']}"
        for name, key, other in (("A", "a", "B"), ("B", "b", "A"))
    ]
    return "\n".join(
        [
            *_about(result, lines),
            _verdict(result),
            "This is about these two networks; for two recipes, compare trials over several seeds.",
        ]
    )


def _trials_text(result: dict[str, Any]) -> str:
    lines = [
        f"{name}: accuracy {arm['mean']:.3%} +/- {arm['sd']:.3%} (n = {arm['n']})   {arm['path']}"
        for name, arm in (("A", result["a"]), ("B", result["b"]))
    ]
    return "\n".join([*_about(result, lines), _verdict(result), *_seeds_text(result)])


def _about(result: dict[str, Any], lines: Sequence[str]) -> list[str]:
    return [f"{result['dataset']}, {result['split']} split", *lines, ""]


def _verdict(result: dict[str, Any]) -> str:
    """Say in one sentence by how much B is better, or that it is not settled."""
    difference = result["difference"]
    better = "B" if difference > 0 else "A"
    size = f"{abs(difference) * 100:.3g} points"
    if result["p"] is None:
        return f"the difference is not settled: {_unknown(result)}"
    low, high = (100 * end for end in result["interval"])
    if better == "A":
        low, high = -high, -low
    numbers = f"95 % interval {low:.3g} to {high:.3g} points, p = {_p(result['p'])}"
    if result["settled"]:
        return f"{better} is better by {size} ({numbers})"
    if difference == 0:
        return f"the difference is not settled: A and B are equally accurate ({numbers})"
    return f"the difference is not settled: {better} is ahead by {size} ({numbers})"


def _unknown(result: dict[str, Any]) -> str:
    """Say why nothing is known of the deviation."""
    if min(result["a"]["n"], result["b"]["n"]) < 2:
        return "one seed has no deviation; train at least two seeds of each"
    return (
        f"the means differ by {abs(result['difference']) * 100:.3g} points, but no seed differs "
        "from another, so that nothing is known of the deviation; train more seeds"
    )


def _seeds_text(result: dict[str, Any]) -> list[str]:
    """Say how many seeds would settle the difference."""
    needed = result["seeds_needed"]
    if result["p"] is None:
        return []
    if needed is None:
        return ["No number of seeds within reason would settle so small a difference."]
    return [
        f"A true difference of this size and deviation is settled by about {needed:,} seeds each "
        "(power 80 %, two-sided 5 %)."
    ]


def _p(p: float) -> str:
    return f"{p:.2g}" if p >= 0.0001 else f"{p:.1e}"
