"""Inference: a trained network in an ONNX file, run by ONNX Runtime. torch is never imported."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime

from cnn_mnist.errors import ImageError, ModelError
from cnn_mnist.image import SIZE

PRETRAINED: Final = Path(__file__).parent / "pretrained" / "model.onnx"
"""The model in the box; its card lies beside it."""

BATCH_SIZE: Final = 256
"""Images run at a time: beyond it the speed stays and the memory grows."""


MAX_FILE_BYTES: Final = 1 << 28
"""Of a model file; the networks of this package have 13 MB at most."""

MAX_MEMORY_BYTES: Final = 1 << 31
"""What all models of a process may take at a time: a foreign graph can ask for any amount."""


@cache
def _bound_memory() -> None:
    """Have the sessions of this process share one bounded arena."""
    kind = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    place = onnxruntime.OrtMemoryInfo("Cpu", kind, 0, onnxruntime.OrtMemType.DEFAULT)
    arena = onnxruntime.OrtArenaCfg({"max_mem": MAX_MEMORY_BYTES})
    onnxruntime.create_and_register_allocator(place, arena)


def open_session(model: str | bytes, *, threads: int) -> onnxruntime.InferenceSession:
    """A session on the processor, within the memory that all of this process share.

    Args:
        model: an ONNX file's path, or its bytes.
        threads: threads of one run; 0 takes one for each core.

    Raises:
        Exception: what is wrong with the model; ONNX Runtime's own errors have no common base.
    """
    _bound_memory()
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what goes wrong is raised
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class Model:
    """A trained network.

    Args:
        path: the ONNX file: input `images` `(batch, 1, 28, 28) float32 in [0, 1]`, outputs
            `logits` and `probabilities`, both `(batch, classes) float32`.
        threads: threads of one run; 0 takes one for each core.

    Raises:
        ModelError: the file is missing, damaged, or of another form.
    """

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        self.path = path
        if not path.is_file():
            raise ModelError(f"{path} is no model file: train one with cnn-mnist train")
        if (size := path.stat().st_size) > MAX_FILE_BYTES:
            raise ModelError(f"{path} has {size:,} bytes: more than a model of this package has")
        try:
            self._session = open_session(str(path), threads=threads)
        except Exception as error:  # whatever its kind, see there
            raise ModelError(f"{path} is no ONNX model: {_first_line(error)}") from error
        takes = {value.name: value.shape for value in self._session.get_inputs()}
        outputs = {value.name: value.shape for value in self._session.get_outputs()}
        if list(takes) != ["images"] or not {"logits", "probabilities"} <= set(outputs):
            raise ModelError(
                f"{path} is another kind of model: it maps {', '.join(takes)} to "
                f"{', '.join(outputs)}; expected images to logits and probabilities"
            )
        shapes = takes["images"][1:], outputs["logits"][1:], outputs["probabilities"][1:]
        if shapes[0] != [1, SIZE, SIZE] or not _one_size(shapes[1]) or shapes[1] != shapes[2]:
            raise ModelError(
                f"{path} is another kind of model: its images, logits and probabilities are "
                f"(batch, ...) with {', '.join(map(str, shapes))}; "
                f"expected {[1, SIZE, SIZE]}, [classes], [classes]"
            )
        self.classes = int(shapes[1][0])
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map

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
            ModelError: the graph asks for what cannot be computed, or for too much memory.
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
        except Exception as error:  # as above
            raise ModelError(f"{self.path} cannot be run: {_first_line(error)}") from error
        return outputs

    def classify(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Logits only; see `predict`."""
        return self.predict(images)[0]


def inputs(images: npt.NDArray[Any]) -> Iterator[npt.NDArray[np.float32]]:
    """The network's inputs, `(B, 1, 28, 28) float32 in [0, 1]`, a bounded number at a time.

    Args:
        images: see `Model.predict`.

    Raises:
        ImageError: the array is of another shape, type or range.
    """
    if images.shape[-2:] != (SIZE, SIZE) or not (
        images.ndim in (2, 3) or (images.ndim == 4 and images.shape[1] == 1)
    ):
        raise ImageError(f"images have shape {images.shape}: expected (N, 28, 28)")
    images = images.reshape(-1, 1, SIZE, SIZE)
    for start in range(0, len(images), BATCH_SIZE):
        batch = images[start : start + BATCH_SIZE]
        if batch.dtype == np.uint8:
            yield batch.astype(np.float32) / np.float32(255)
        elif np.issubdtype(batch.dtype, np.floating):
            if not (batch.min() >= 0 and batch.max() <= 1):  # written so that NaN fails too
                raise ImageError("images of floats have values in [0, 1], these go beyond")
            yield batch.astype(np.float32, copy=False)
        else:
            raise ImageError(f"images are uint8 or floats in [0, 1], not {batch.dtype}")


def _one_size(shape: list[Any]) -> bool:
    return len(shape) == 1 and isinstance(shape[0], int)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
