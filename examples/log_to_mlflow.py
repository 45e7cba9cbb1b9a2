"""Log a run to MLflow with a hook of your own: pip install mlflow-skinny.

    python examples/log_to_mlflow.py
    mlflow ui --backend-store-uri mlruns    # with the whole mlflow installed

Parameters are the recipe's fields; metrics are those of `metrics.jsonl`. MLflow's local file store
needs no server.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import mlflow

from cnn_mnist import Classifier, Hook
from cnn_mnist.training.hooks import Start


class MLflow(Hook):
    """Logs the recipe and every set of metrics of a run.

    Args:
        folder: MLflow's file store; created where missing.
    """

    def __init__(self, folder: Path) -> None:
        # mlflow-skinny has no database; newer versions want the file store to be asked for
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        mlflow.set_tracking_uri(folder.resolve().as_uri())

    def begin(self, start: Start) -> None:
        """Open an MLflow run that is named after the run directory."""
        mlflow.start_run(run_name=start.run_dir.name)
        mlflow.log_params(start.recipe.to_dict())

    def on_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log metrics under their step."""
        values = {name: value for name, value in metrics.items() if name != "step"}
        mlflow.log_metrics(values, step=int(metrics["step"]))

    def end(self) -> None:
        """Close the MLflow run."""
        mlflow.end_run()


if __name__ == "__main__":
    Classifier("runs/logged-to-mlflow", recipe="fast").train(hooks=[MLflow(Path("mlruns"))])
