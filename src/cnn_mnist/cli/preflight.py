"""Refuse before the first step what would fail after it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnn_mnist.recipe import Recipe
    from cnn_mnist.runs.run import Run


def check_before_training(
    run: "Run", recipe: "Recipe", classes: int, log_tensors: str | None
) -> None:
    """Refuse a training that could not end in a model file, or log what it should.

    Args:
        run: its directory; one with a checkpoint has passed.
        recipe: names the network.
        classes: of the data set.
        log_tensors: what `--log-tensors` says.

    Raises:
        RecipeError: a network of the user's own cannot be used.
        RunError: no tensor has a name in `log_tensors`.
        ExportError: a network of the user's own could not be exported in the end.
    """
    from cnn_mnist.networks import NETWORKS
    from cnn_mnist.networks.build import build
    from cnn_mnist.runs.checkpoint import found
    from cnn_mnist.training.hooks import LogTensors

    untried = NETWORKS.is_own(recipe.network) and not found(run.checkpoints)
    if not (untried or log_tensors):
        return
    network = build(recipe, classes)
    if log_tensors:
        LogTensors(log_tensors.split(",")).require_known(network)
    if untried:
        from cnn_mnist.export.onnx import require_exportable

        require_exportable(network)
