"""Log a run to MLflow with a hook of your own: pip install mlflow-skinny.

    python examples/log_to_mlflow.py
    cnn-mnist train --hook examples/log_to_mlflow.py:mlflow_hook    # the same, of any run
    mlflow ui --backend-store-uri mlruns    # with the whole mlflow installed

Parameters are the recipe's fields, data set and seed; metrics are those of `metrics.jsonl`, the
last ones again as `final_...`; a tag says how the run ended. MLflow's local file store needs no
server.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import mlflow

from cnn_mnist import Classifier, Hook
from cnn_mnist.runs.run import Run
from cnn_mnist.training.hooks import End, Start

STATUS = {
    "finished": "FINISHED",
    "stopped": "FINISHED",
    "interrupted": "KILLED",
    "failed": "FAILED",
}
"""MLflow's word for each outcome of a run."""


class MLflow(Hook):
    """Logs what a run is, every set of its metrics, and how it ended.

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
        identity = start.identity
        mlflow.log_params(
            {
                **start.recipe.to_dict(),
                "dataset": identity.dataset,
                "dataset_sha256": identity.dataset_sha256,
                "seed": identity.seed,
                "first_step": start.first_step,
            }
        )

    def on_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log metrics under their step."""
        values = {name: value for name, value in metrics.items() if name != "step"}
        mlflow.log_metrics(values, step=int(metrics["step"]))

    def end(self, end: End) -> None:
        """Log the final metrics and the outcome, and close the MLflow run."""
        final = {f"final_{name}": value for name, value in end.metrics.items()}
        mlflow.log_metrics(final, step=end.step)
        mlflow.set_tags({"outcome": end.outcome, "reason": end.reason or ""})
        mlflow.end_run(STATUS[end.outcome])


def mlflow_hook(run: Run) -> Hook:
    """Return a hook that logs to `mlruns/` in the current directory."""
    return MLflow(Path("mlruns"))


if __name__ == "__main__":
    Classifier("runs/logged-to-mlflow", recipe="fast").train(hooks=[MLflow(Path("mlruns"))])
