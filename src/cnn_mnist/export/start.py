"""Read the weights that a training starts from: the bundled model's, a run's, a model file's."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

from cnn_mnist.errors import ModelError
from cnn_mnist.evaluation.trained_run import TrainedRun
from cnn_mnist.export.from_onnx import load_network
from cnn_mnist.inference.model import BUNDLED, Model
from cnn_mnist.recipe import Recipe
from cnn_mnist.runs.checkpoint import found
from cnn_mnist.runs.identity import Identity, require_identity
from cnn_mnist.runs.run import Run
from cnn_mnist.runs.start import StartWeights

BUNDLED_NAMES: Final = ("bundled", "box")
"""How the bundled model is named; any other text is a path."""


def read_start(source: Path | str) -> StartWeights:
    """Read the weights to start from.

    Args:
        source: `bundled` (or `box`), a run directory (its best or newest checkpoint), or a model
            file that this package wrote.

    Raises:
        ModelError: there is no such file or run, or the file cannot be turned back into a network.
        RunError: the directory is not a run, or nothing was trained there.
        RecipeError: the network is the user's own, and nobody has named it yet.
    """
    if source in BUNDLED_NAMES:
        return _from_file("the bundled model", BUNDLED)
    path = Path(source)
    if path.is_dir():
        return _from_run(Run(path))
    if not path.exists():
        raise ModelError(
            f"{path} does not exist: expected bundled, a run directory, or a model file to start "
            "from"
        )
    return _from_file(str(path), path)


def choose_start(
    run: Run, recipe: Recipe, source: StartWeights | Path | str | None
) -> StartWeights | None:
    """Return the weights that a training starts from, None where the seed draws them.

    Args:
        run: its directory.
        recipe: where it mixes known images in (`replay`), the bundled model is the default of a run
            that has no checkpoint yet.
        source: what was asked for: weights, or what `read_start` takes.

    Raises:
        CnnMnistError: see `read_start`.
    """
    if source is None:
        return (
            read_start(BUNDLED_NAMES[0]) if recipe.replay and not found(run.checkpoints) else None
        )
    return source if isinstance(source, StartWeights) else read_start(source)


def with_network_of(
    start: StartWeights | None, identity: Identity | None, recipe: Recipe
) -> Recipe:
    """Return a recipe with the network of the weights that its run starts or has started from."""
    if start is not None:
        return replace(recipe, network=start.network)
    if identity is not None and identity.start_sha256:
        return replace(recipe, network=identity.recipe.network)
    return recipe


def _from_file(source: str, path: Path) -> StartWeights:
    network, metadata = load_network(path)
    return StartWeights(
        source=source,
        network=Recipe.from_dict(json.loads(metadata["recipe"])).network,
        weights=network.state_dict(),
        class_names=Model(path).class_names,
    )


def _from_run(run: Run) -> StartWeights:
    require_identity(run)
    trained = TrainedRun(run)
    return StartWeights(
        source=str(run.path),
        network=trained.checkpoint.recipe.network,
        weights=trained.checkpoint.weights,
        class_names=trained.class_names,
    )
