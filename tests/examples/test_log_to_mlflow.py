"""The example that logs a run to MLflow."""

import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny import SendSignal, Watch, tiny_dataset, trained
from tiny import one_thread as one_thread  # a fixture of every test here

from cnn_mnist.errors import HookError, Interrupted
from cnn_mnist.training.hooks import Hook, Start, Step

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

mlflow = pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")


def logged(folder: Path, *hooks: Hook) -> Any:
    """Train `folder/run` with the example's hook, and return the MLflow run."""
    from log_to_mlflow import MLflow

    trained(folder / "run", hooks=(MLflow(folder / "mlruns"), *hooks))
    return only_run()


def only_run() -> Any:
    (run,) = mlflow.MlflowClient().search_runs(["0"])
    return run


def test_identity_recipe_and_metrics_are_logged(tmp_path: Path) -> None:
    watch = Watch()
    run = logged(tmp_path, watch)
    assert run.info.run_name == "run"
    assert run.data.params["network"] == "softmax"
    assert run.data.params["dataset_sha256"] == tiny_dataset().sha256
    assert (run.data.params["dataset"], run.data.params["seed"]) == ("tiny", "0")
    losses = mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")
    kept = [(line["step"], line["loss"]) for line in watch.metrics if "loss" in line]
    assert [(point.step, point.value) for point in losses] == kept
    assert run.data.metrics["validation_accuracy"] > 0.1


def test_the_final_metrics_and_the_outcome_are_logged(tmp_path: Path) -> None:
    watch = Watch()
    run = logged(tmp_path, watch)
    for name, value in watch.the_end.metrics.items():
        assert run.data.metrics[f"final_{name}"] == value
    assert run.data.tags["outcome"] == "finished"
    assert run.info.status == "FINISHED"


class Stops(Hook):
    def begin(self, start: Start) -> None:
        start.request_stop("enough")


class Fails(Hook):
    def after_step(self, step: Step) -> None:
        raise ValueError("broken")


@pytest.mark.parametrize(
    ("hook", "error", "outcome", "status", "reason"),
    [
        (Stops(), None, "stopped", "FINISHED", "enough"),
        (Fails(), HookError, "failed", "FAILED", "the hook Fails failed: ValueError: broken"),
        (SendSignal(signal.SIGTERM, at=7), Interrupted, "interrupted", "KILLED", "stopped by"),
    ],
)
def test_a_run_that_does_not_finish_is_logged_with_the_reason(
    hook: Hook,
    error: type[Exception] | None,
    outcome: str,
    status: str,
    reason: str,
    tmp_path: Path,
) -> None:
    if error is None:
        logged(tmp_path, hook)
    else:
        with pytest.raises(error):
            logged(tmp_path, hook)
    run = only_run()
    assert (run.data.tags["outcome"], run.info.status) == (outcome, status)
    assert run.data.tags["reason"].startswith(reason)


def test_the_factory_makes_a_hook_that_logs_to_mlruns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from log_to_mlflow import mlflow_hook

    from cnn_mnist.runs.run import Run

    monkeypatch.chdir(tmp_path)
    trained(tmp_path / "run", hooks=(mlflow_hook(Run(tmp_path / "run")),))
    assert only_run().info.run_name == "run"
    assert (tmp_path / "mlruns").is_dir()
