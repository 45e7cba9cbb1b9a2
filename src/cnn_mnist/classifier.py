"""Offer the methods of the tutorial's Estimator over a run directory.

mnist_classifier = Classifier("runs/mnist", recipe="tutorial")
mnist_classifier.train("mnist")
mnist_classifier.evaluate("mnist")   # {"accuracy": ..., "loss": ..., "global_step": 20000, ...}
next(mnist_classifier.predict(images))   # {"classes": 7, "probabilities": ...}
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnn_mnist.data.dataset import IMAGE_SIZE, Dataset, Split
from cnn_mnist.data.mix import with_replay
from cnn_mnist.errors import RunError, needs_extra
from cnn_mnist.inference.model import Model, inputs
from cnn_mnist.networks import NETWORKS, Network
from cnn_mnist.reading.arrays import to_array
from cnn_mnist.reading.training_pictures import load
from cnn_mnist.recipe import Recipe
from cnn_mnist.runs.identity import read_identity, recipe_and_seed
from cnn_mnist.runs.json_files import write_json
from cnn_mnist.runs.lock import locked
from cnn_mnist.runs.run import Run, drop_old_checksums

with needs_extra("train", "training"):
    from torch import nn

    from cnn_mnist.evaluation.trained_run import Evaluation, TrainedRun
    from cnn_mnist.export.network import export_network
    from cnn_mnist.export.start import choose_start, with_network_of
    from cnn_mnist.runs.checkpoint import newest
    from cnn_mnist.runs.start import StartWeights
    from cnn_mnist.training.hooks import Hook
    from cnn_mnist.training.loop import train


class Classifier:
    """A network that is trained, evaluated and used in one run directory.

    Training again with the same directory goes on from its newest checkpoint. Scored, exported and
    used is the newest one, or the best one where the run keeps it (`keep_best`).

    Args:
        run_dir: the run directory; made by the first training.
        recipe: a recipe or its name. None takes the run's own, or `standard` in a new run.
        seed: decides everything random. None takes the run's own, or 0 in a new run.
        network: a network of your own, in place of the recipe's: a function or class
            `(classes: int, *, dropout: float) -> torch.nn.Module`, from images
            `(B, 1, 28, 28) float32 in [0, 1]` to logits `(B, classes)`; or what `--network` takes.
        device: `cpu`, `cuda`, or `auto` (cuda where there is a GPU).
        start: trained weights to start a new run from: `bundled`, a run directory, or a model file
            of this package; their network takes the place of the recipe's. None draws them from
            the seed, or takes `bundled` where the recipe mixes known images in (`replay`).

    Raises:
        RecipeError: no recipe has this name; or the network is your own and is not given.
        RunError: the directory's `recipe.json` is damaged, or the run has another network.
    """

    def __init__(
        self,
        run_dir: Path | str,
        recipe: Recipe | str | None = None,
        *,
        seed: int | None = None,
        device: str = "auto",
        network: "Network | str | None" = None,
        start: StartWeights | Path | str | None = None,
    ) -> None:
        self.run = Run(Path(run_dir))
        self.device = device
        self.stopped: str | None = None
        identity = read_identity(self.run)
        self.recipe, self.seed = recipe_and_seed(identity, recipe, seed)
        self.start = choose_start(self.run, self.recipe, start)
        if network is None:
            self.recipe = with_network_of(self.start, identity, self.recipe)
        if network is not None:
            name = NETWORKS.resolve(network) if isinstance(network, str) else NETWORKS.add(network)
            if identity and identity.recipe.network != name:
                raise RunError(
                    f"the network of {self.run.path} is {identity.recipe.network}, not {name}: "
                    "name that one, or choose another run directory"
                )
            self.recipe = replace(self.recipe, network=name)
        elif NETWORKS.is_own(self.recipe.network):
            NETWORKS.get(self.recipe.network)

    def train(
        self,
        data: Dataset | str = "auto",
        *,
        steps: int | None = None,
        max_steps: int | None = None,
        hooks: Sequence[Hook] = (),
        keep_best: bool = False,
        known: Dataset | None = None,
    ) -> "Classifier":
        """Train, going on from the newest checkpoint; return this classifier.

        Args:
            data: a data set, or what `cnn_mnist.load` takes.
            steps: how many steps to do from here.
            max_steps: the step to end at. With neither, it is the recipe's.
            hooks: watch the run. Where one ends the training before the last step, `stopped` is
                its reason.
            keep_best: keep the checkpoint with the lowest validation loss, from now on.
            known: what a recipe with `replay` mixes in, see `cnn_mnist.data.mix.with_replay`.

        Raises:
            ValueError: both `steps` and `max_steps` are given.
            CnnMnistError: see `cnn_mnist.training.loop.train` and `cnn_mnist.load`.
        """
        if steps is not None and max_steps is not None:
            raise ValueError("steps and max_steps exclude each other: give one of them")
        if steps is not None:
            checkpoint = newest(self.run.checkpoints)
            max_steps = (checkpoint.step if checkpoint else 0) + steps
        recipe = self.recipe if max_steps is None else replace(self.recipe, steps=max_steps)
        trainer = train(
            self.run,
            recipe,
            with_replay(_dataset(data), recipe.replay, known),
            seed=self.seed,
            device=self.device,
            hooks=hooks,
            keep_best=keep_best,
            start=self.start,
        )
        self.stopped = trainer.stopped
        return self

    def evaluate(self, data: Dataset | str = "auto", *, split: str = "test") -> dict[str, Any]:
        """Score the best or newest checkpoint on every image of a split.

        Args:
            data: a data set, or what `cnn_mnist.load` takes.
            split: `test`, `validation` or `train`.

        Returns:
            What `cnn_mnist.evaluation.metrics.metrics` returns, and `global_step`, `dataset`,
            `split`, `train_seconds`.

        Raises:
            RunError: nothing was trained here, or on a data set with fewer classes.
            DataError: the data set has a class whose name the run does not know.
            CnnMnistError: see `cnn_mnist.load`.
        """
        return self.evaluation(data, split=split).metrics

    def evaluation(self, data: Dataset | str = "auto", *, split: str = "test") -> Evaluation:
        """Score a checkpoint, and return network and logits, too; see `evaluate`."""
        return TrainedRun(self.run).evaluate(_dataset(data), split)

    def logits(self, data: Dataset | str = "auto", *, split: str = "test") -> npt.NDArray[Any]:
        """Compute the logits `(N, classes) float32` of a split; see `evaluate`."""
        return self.evaluation(data, split=split).logits

    def network(self) -> nn.Module:
        """Return the best or newest checkpoint's network, on the CPU, in eval mode.

        Raises:
            RunError: nothing was trained here.
        """
        return TrainedRun(self.run).network()

    def predict(self, images: object) -> Iterator[dict[str, Any]]:
        """Classify images with `model.onnx`, which is first brought up to date.

        Args:
            images: an array, torch tensor or list `(N, 28, 28)`, uint8 or in [0, 1]; 0 is paper.

        Yields:
            For each image `classes`, the most probable class, and `probabilities`,
            `(classes,) float32`.

        Raises:
            RunError: nothing was trained here.
            ImageError: the images are of another shape, type or range.
        """
        array, model = to_array(images), self._current_model()
        if model is None:
            self.export(_as_uint8(array))
            model = Model(self.run.model_file)
        for row in model.predict(array)[1]:
            yield {"classes": int(row.argmax()), "probabilities": row}

    def export(
        self,
        images: npt.NDArray[np.uint8],
        *,
        format_: str = "onnx",
        path: Path | None = None,
        calibration: Split | None = None,
        weights: str = "float32",
        scales: npt.NDArray[np.uint8] | None = None,
    ) -> dict[str, Any]:
        """Write the best or newest checkpoint as a model file, compared with it on `images`.

        An ONNX file carries recipe, data set, global_step and, where `evaluation.json` is of that
        step, accuracy.

        Args:
            images: `(N, 28, 28) uint8`, real ones.
            format_: see `cnn_mnist.export.network.export_network`, as the others.
            path: the file or folder; None takes a name for each variant in the run directory.
            calibration: see there.
            weights: see there.
            scales: see there.

        Returns:
            What `cnn_mnist.export.onnx.export_onnx` returns.

        Raises:
            MissingExtraError: TensorFlow is needed, and not installed.
            RunError: nothing was trained here.
            ExportError: the file does not give what the network gives, or cannot be written.
        """
        if path is None or path.resolve() == self.run.model_file.resolve():
            drop_old_checksums(self.run)
        trained = TrainedRun(self.run)
        return export_network(
            trained.network(),
            trained.metadata(),
            images,
            folder=self.run.path,
            format_=format_,
            path=path,
            calibration=calibration,
            weights=weights,
            scales=scales,
        )

    def finish(
        self, data: Dataset | str = "auto", *, known: Dataset | None = None
    ) -> dict[str, Any]:
        """Score the best or newest checkpoint on the test split, keep the metrics, and export it.

        Args:
            data: a data set, or what `cnn_mnist.load` takes.
            known: what must not be forgotten: its test split is scored, too.

        Returns:
            What `evaluate` returns, as written to `evaluation.json`; with `known` also
            `known_dataset`, `known_accuracy` and, where the weights that this run started from are
            at hand, `known_accuracy_before`.

        Raises:
            CnnMnistError: see `evaluate` and `export`.
        """
        dataset = _dataset(data)
        with locked(self.run.path):
            drop_old_checksums(self.run)
            trained = TrainedRun(self.run)
            evaluation = trained.evaluate(dataset, "test")
            if known is not None:
                evaluation.metrics.update(trained.known_metrics(known, self.start))
            write_json(self.run.evaluation_file, evaluation.metrics)
            export_network(
                evaluation.network,
                trained.metadata(),
                dataset.test.images,
                folder=self.run.path,
            )
        return evaluation.metrics

    def _current_model(self) -> Model | None:
        """Return `model.onnx`, if it is of the checkpoint that is used."""
        step = TrainedRun(self.run).checkpoint.step
        if not self.run.model_file.exists():
            return None
        model = Model(self.run.model_file)
        return model if model.metadata.get("global_step") == str(step) else None


def _dataset(data: Dataset | str) -> Dataset:
    return load(data) if isinstance(data, str) else data


def _as_uint8(images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return the same images, `(N, 28, 28)`; refuse what `Model.predict` refuses."""
    batches = [np.round(batch[:, 0] * 255).astype(np.uint8) for batch in inputs(images)]
    return np.concatenate(batches) if batches else np.empty((0, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
