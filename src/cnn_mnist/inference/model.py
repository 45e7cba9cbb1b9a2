"""Classify images with a trained network in an ONNX file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.data.class_names import checked_names, default_names
from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.errors import ImageError, ModelError, first_line, os_errors_as
from cnn_mnist.inference.external_data import require_inside
from cnn_mnist.inference.session import open_session
from cnn_mnist.recipe import MAX_CLASSES

BUNDLED: Final = Path(__file__).parent / "bundled" / "model.onnx"
"""The bundled model; its model card lies beside it."""

BATCH_SIZE: Final = 256
"""Images run at a time: larger batches take more memory and are no faster."""

_MAX_NAMES_LENGTH: Final = 1 << 18
MAX_FILE_BYTES: Final = 1 << 28
"""Of a model file; the networks of this package have 13 MB at most."""


class Model:
    """A trained network.

    Args:
        path: the ONNX file: input `images` `(batch, 1, 28, 28) float32 in [0, 1]`, outputs
            `logits` and `probabilities`, both `(batch, classes) float32`.
        threads: threads of one run; 0 takes one for each core.

    Raises:
        ModelError: the file is missing, damaged, or of another form, or has more than
            `MAX_CLASSES` classes, or class names that cannot be used.
    """

    def __init__(self, path: Path | str, *, threads: int = 0) -> None:
        self.path = path = Path(path)
        if not path.is_file():
            raise ModelError(f"{path} is not a model file: train one with cnn-mnist train")
        if (size := path.stat().st_size) > MAX_FILE_BYTES:
            raise ModelError(f"{path} has {size:,} bytes: the limit is {MAX_FILE_BYTES:,}")
        with os_errors_as(ModelError, f"{path} cannot be read"):
            content = path.read_bytes()
        try:
            require_inside(path, content, MAX_FILE_BYTES)
            self._session = open_session(str(path), threads=threads)
        except Exception as error:  # of any kind, see `open_session`
            raise ModelError(f"{path} is not an ONNX model: {first_line(error)}") from error
        takes = {value.name: value.shape for value in self._session.get_inputs()}
        outputs = {value.name: value.shape for value in self._session.get_outputs()}
        if list(takes) != ["images"] or not {"logits", "probabilities"} <= set(outputs):
            raise ModelError(
                f"{path} is another kind of model: it maps {', '.join(takes)} to "
                f"{', '.join(outputs)}; expected images to logits and probabilities"
            )
        shapes = takes["images"][1:], outputs["logits"][1:], outputs["probabilities"][1:]
        form = [1, IMAGE_SIZE, IMAGE_SIZE]
        if shapes[0] != form or not _one_size(shapes[1]) or shapes[1] != shapes[2]:
            raise ModelError(
                f"{path} is another kind of model: its images, logits and probabilities are "
                f"(batch, ...) with {', '.join(map(str, shapes))}; "
                f"expected {form}, [classes], [classes]"
            )
        self.classes = int(shapes[1][0])
        if not 1 <= self.classes <= MAX_CLASSES:
            raise ModelError(f"{path} has {self.classes} classes: expected 1 to {MAX_CLASSES}")
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self.class_names = self._class_names()

    def _class_names(self) -> tuple[str, ...]:
        """Return the names in the file's metadata; the numbers where it has none.

        Raises:
            ModelError: they are not a JSON list of as many names as there are classes.
        """
        text = self.metadata.get("class_names")
        try:
            # bounded before it is parsed: JSON writes a character as `\ud83d\ude00` at most
            if text is not None and len(text) > _MAX_NAMES_LENGTH:
                raise ValueError(f"they have {len(text):,} characters")
            names = checked_names(default_names(self.classes) if text is None else json.loads(text))
            if len(names) != self.classes:
                raise ValueError(f"there are {len(names)} for {self.classes} classes")
        except (ValueError, RecursionError) as error:
            raise ModelError(
                f"{self.path} has class names that cannot be used: {first_line(error)}"
            ) from error
        return names

    def predict(
        self, images: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Classify images.

        Args:
            images: `(N, 28, 28)`, `(N, 1, 28, 28)` or `(28, 28)`; uint8, or floats in [0, 1];
                0 is paper.

        Returns:
            Logits and probabilities, each `(N, classes) float32`.

        Raises:
            ImageError: the array is of another shape, type or range.
            ModelError: the graph cannot be run, or asks for too much memory.
        """
        batches = [self._run(batch) for batch in inputs(images)]
        if not batches:
            return (np.empty((0, self.classes), np.float32),) * 2
        logits, probabilities = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        return logits, probabilities

    def _run(self, batch: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        try:
            outputs: list[npt.NDArray[np.float32]] = self._session.run(
                ["logits", "probabilities"], {"images": batch}
            )
        except Exception as error:  # of any kind, as above
            raise ModelError(f"{self.path} cannot be run: {first_line(error)}") from error
        return outputs

    def classify(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Compute the logits only; see `predict`."""
        return self.predict(images)[0]


def inputs(images: npt.NDArray[Any]) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the network's inputs, `(B, 1, 28, 28) float32 in [0, 1]`, `BATCH_SIZE` at a time.

    Args:
        images: see `Model.predict`.

    Raises:
        ImageError: the array is of another shape, type or range.
    """
    if images.shape[-2:] != (IMAGE_SIZE, IMAGE_SIZE) or not (
        images.ndim in (2, 3) or (images.ndim == 4 and images.shape[1] == 1)
    ):
        raise ImageError(f"images have shape {images.shape}: expected (N, 28, 28)")
    images = images.reshape(-1, 1, IMAGE_SIZE, IMAGE_SIZE)
    for start in range(0, len(images), BATCH_SIZE):
        batch = images[start : start + BATCH_SIZE]
        if batch.dtype == np.uint8:
            yield batch.astype(np.float32) / np.float32(255)
        elif np.issubdtype(batch.dtype, np.floating):
            if not (batch.min() >= 0 and batch.max() <= 1):  # written so that NaN fails too
                raise ImageError("images of floats must have values in [0, 1], these go beyond")
            yield batch.astype(np.float32, copy=False)
        else:
            raise ImageError(f"images must be uint8 or floats in [0, 1], not {batch.dtype}")


def _one_size(shape: list[Any]) -> bool:
    return len(shape) == 1 and isinstance(shape[0], int)
