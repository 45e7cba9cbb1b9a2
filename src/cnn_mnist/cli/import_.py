"""The command `cnn-mnist import`."""

from pathlib import Path

import click

from cnn_mnist.cli.options import FILE, data_dir_option, json_option
from cnn_mnist.cli.output import emit
from cnn_mnist.errors import needs_extra


@click.command("import")
@click.argument("source", type=FILE, metavar="DIR|PREFIX")
@click.option("--run-dir", type=FILE, metavar="R", required=True, help="Run directory to create.")
@data_dir_option
@json_option
def import_(source: Path, run_dir: Path, data_dir: Path | None, as_json: bool) -> None:
    """Make a run from a TensorFlow checkpoint of the tutorial.

    DIR is the tutorial's model_dir, PREFIX a checkpoint in it, such as DIR/model.ckpt-20000. The
    run can be evaluated, used, exported and trained further: `cnn-mnist train --run-dir R --steps
    N`. Where MNIST is available, the run is scored on its test images at once.
    """
    from cnn_mnist.data.load import load
    from cnn_mnist.evaluation.metrics import all_logits
    from cnn_mnist.inference.model import Model
    from cnn_mnist.runs.run import Run

    with needs_extra("tensorflow", "importing"):
        from cnn_mnist.classifier import Classifier
        from cnn_mnist.export.tensorflow.estimator import estimator_loss, read_checkpoint, start_run

    checkpoint = read_checkpoint(source)
    dataset = load("auto", data_dir)
    start_run(Run(run_dir), checkpoint)
    classifier = Classifier(run_dir)
    result = {"global_step": checkpoint.step, "run_dir": str(run_dir)}
    text = f"{run_dir} is now a run with the weights of {source} at step {checkpoint.step:,}"
    if dataset.name == "mnist":
        evaluation = classifier.finish(dataset)
        result |= {key: evaluation[key] for key in ("accuracy", "loss", "n")}
        logits = all_logits(Model(classifier.run.model_file).classify, dataset.test)
        result["estimator_loss"] = estimator_loss(logits, dataset.test.labels)
        text += (
            f"\ntest accuracy {evaluation['accuracy']:.2%}, loss {evaluation['loss']:.4f} "
            f"({result['estimator_loss']:.4f} as the Estimator counts it)"
        )
    else:  # other images can compare the model file with the network, not score it
        classifier.export(dataset.test.images)
    emit(result, as_json=as_json, text=f"{text}\nmodel: {classifier.run.model_file}")
