"""Checkpoints of TensorFlow 1.x: `checkpoint`, `model.ckpt-20000.index`, `model.ckpt-20000.data-*`.

Nothing of a foreign checkpoint is believed: its tensors' names, types and shapes are compared with
those of the network before any of them is read, and TensorFlow checks the sums of their bytes.
"""

import re
from pathlib import Path, PureWindowsPath
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from cnn_mnist.errors import CheckpointError
from cnn_mnist.export.tensorflow.library import tensorflow
from cnn_mnist.export.tensorflow.variables import tensors, variables

STEP: Final = "global_step"


def find(source: Path) -> Path:
    """The prefix of a checkpoint.

    Args:
        source: the tutorial's `model_dir`, whose newest checkpoint is meant, or a prefix such as
            `model_dir/model.ckpt-20000`.

    Raises:
        CheckpointError: there is none.
    """
    prefix = _newest(source) if source.is_dir() else source
    index = prefix.with_name(f"{prefix.name}.index")
    if not index.is_file():
        raise CheckpointError(
            f"{index} is missing: name the tutorial's model_dir, or a checkpoint in it without its "
            "ending, such as model_dir/model.ckpt-20000"
        )
    return prefix


def _newest(model_dir: Path) -> Path:
    """The prefix that the folder's file `checkpoint` names, wherever the folder lay at the time."""
    state = model_dir / "checkpoint"
    try:
        match = re.search(r'^model_checkpoint_path: "(.+)"', state.read_text("utf-8"), re.MULTILINE)
    except OSError as error:
        raise CheckpointError(
            f"{model_dir} holds no TensorFlow checkpoint: {state}: {error.strerror or error}"
        ) from error
    except ValueError as error:
        raise CheckpointError(f"{state} is damaged: {error}") from error
    if match is None:
        raise CheckpointError(f"{state} is damaged: it has no line model_checkpoint_path")
    return model_dir / PureWindowsPath(match[1]).name  # which takes both kinds of slashes


def read(prefix: Path, model: nn.Module) -> tuple[dict[str, torch.Tensor], int]:
    """The weights of a checkpoint of this network, by the names of its state, and the step.

    Raises:
        CheckpointError: it is damaged, or of another network.
        MissingExtraError: TensorFlow is not installed.
    """
    library = tensorflow()
    try:
        reader = library.train.load_checkpoint(str(prefix))
    except Exception as error:  # TensorFlow's own, and Python's
        raise CheckpointError(f"{prefix}.index cannot be read: {_first_line(error)}") from error
    _require_forms(prefix, reader, _forms(model))
    weights = {
        variable.key: torch.from_numpy(variable.to_torch(_tensor(prefix, reader, variable.name)))
        for variable in variables(model)
    }
    step = int(_tensor(prefix, reader, STEP))
    if step < 0:
        raise CheckpointError(f"{prefix}: {STEP} is {step}: expected at least 0")
    return weights, step


def _forms(model: nn.Module) -> dict[str, tuple[str, list[int]]]:
    """Type and shape of each tensor of a network's checkpoint."""
    forms = {variable.name: ("float32", list(variable.shape)) for variable in variables(model)}
    return {**forms, STEP: ("int64", [])}


def _require_forms(prefix: Path, reader: Any, expected: dict[str, tuple[str, list[int]]]) -> None:
    """Compare what the index says with what must be; no tensor is read before."""
    types, shapes = reader.get_variable_to_dtype_map(), reader.get_variable_to_shape_map()
    other = f"{prefix} is a checkpoint of another network than the tutorial's"
    for name, (type_, shape) in expected.items():
        if name not in shapes:
            raise CheckpointError(f"{other}: it has no tensor {name}")
        if (types[name].name, list(shapes[name])) != (type_, shape):
            raise CheckpointError(
                f"{other}: its tensor {name} is {types[name].name} {list(shapes[name])}, expected "
                f"{type_} {shape}"
            )
    if unknown := sorted(shapes.keys() - expected.keys()):
        raise CheckpointError(f"{other}: it has a tensor {unknown[0]}, which is unknown there")


def _tensor(prefix: Path, reader: Any, name: str) -> Any:
    try:
        return reader.get_tensor(name)
    except Exception as error:  # an IndexError where a file ends too early
        raise CheckpointError(
            f"{prefix}.data-*: the tensor {name} cannot be read: {_first_line(error)}; copy the "
            "checkpoint again"
        ) from error


def write_checkpoint(model: nn.Module, folder: Path, step: int) -> None:
    """Write a network as the tutorial's program would have: `folder/model.ckpt-STEP.*`.

    Raises:
        OSError: it cannot be written.
        ExportError: a layer has no counterpart, see `variables.names`.
        MissingExtraError: TensorFlow is not installed.
    """
    library = tensorflow()
    values = {**tensors(model), STEP: np.int64(step)}
    names = sorted(values)  # in TensorFlow's own order
    prefix = f"model.ckpt-{step}"
    folder.mkdir()
    library.raw_ops.SaveV2(
        prefix=str(folder / prefix),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[values[name] for name in names],
    )
    (folder / "checkpoint").write_text(
        f'model_checkpoint_path: "{prefix}"\nall_model_checkpoint_paths: "{prefix}"\n'
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
