"""The example that logs a run to MLflow."""

import sys
from pathlib import Path

import pytest
from tiny import one_thread as one_thread  # a fixture of every test here
from tiny import trained

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

mlflow = pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")


def test_recipe_and_metrics_are_logged(tmp_path: Path) -> None:
    from log_to_mlflow import MLflow

    trained(tmp_path / "run", hooks=(MLflow(tmp_path / "mlruns"),))
    client = mlflow.MlflowClient()
    (run,) = client.search_runs(["0"])
    assert run.info.run_name == "run"
    assert run.data.params["network"] == "softmax"
    losses = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value > 0) for point in losses] == [
        (10, True),
        (20, True),
        (30, True),
    ]
    assert run.data.metrics["validation_accuracy"] > 0.1
