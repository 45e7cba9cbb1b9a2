"""Read and write checkpoints of TensorFlow 1.x.

Their files: `checkpoint`, `model.ckpt-20000.index`, `model.ckpt-20000.data-*`. The names, types and
shapes of all tensors are compared with those of the network before any tensor is read; TensorFlow
verifies the checksums of their bytes.
"""

import re
from pathlib import Path, PureWindowsPath
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from cnn_mnist.errors import CheckpointError, first_line, os_errors_as
from cnn_mnist.export.tensorflow.library import tensorflow
from cnn_mnist.export.tensorflow.variables import tensors, variables

STEP: Final = "global_step"


def find(source: Path) -> Path:
    """Return the prefix of a checkpoint, such as `model_dir/model.ckpt-20000`.

    Args:
        source: the tutorial's `model_dir`, which stands for its newest checkpoint, or a prefix.

    Raises:
        CheckpointError: there is no checkpoint, or the file `checkpoint` is damaged.
    """
    prefix = _newest(source) if source.is_dir() else source
    index = prefix.with_name(f"{prefix.name}.index")
    if not index.is_file():
        raise CheckpointError(
            f"{index} is missing: give the tutorial's model_dir, or the prefix of a checkpoint in "
            "it, such as model_dir/model.ckpt-20000"
        )
    return prefix


def _newest(model_dir: Path) -> Path:
    """Return the prefix named in the file `checkpoint`, also where the folder has been moved."""
    state = model_dir / "checkpoint"
    with os_errors_as(CheckpointError, f"{model_dir} holds no TensorFlow checkpoint: {state}"):
        content = state.read_bytes()
    try:
        match = re.search(r'^model_checkpoint_path: "(.+)"', content.decode("utf-8"), re.MULTILINE)
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{state} is damaged: {error}") from error
    if match is None:
        raise CheckpointError(f"{state} is damaged: it has no line model_checkpoint_path")
    return model_dir / PureWindowsPath(match[1]).name  # it splits at both kinds of slashes


def read(prefix: Path, model: nn.Module) -> tuple[dict[str, torch.Tensor], int]:
    """Read a checkpoint of a network.

    Args:
        prefix: see `find`.
        model: the network whose weights it holds; it stays as it is.

    Returns:
        The weights by their keys in the network's state, and the step.

    Raises:
        CheckpointError: it is damaged, or of another network.
        MissingExtraError: TensorFlow is not installed.
    """
    library = tensorflow()
    try:
        reader = library.train.load_checkpoint(str(prefix))
    except Exception as error:  # TensorFlow's own kinds, and Python's
        raise CheckpointError(f"{prefix}.index cannot be read: {first_line(error)}") from error
    _require_specs(prefix, reader, _specs(model))
    weights = {
        variable.key: torch.from_numpy(variable.to_torch(_tensor(prefix, reader, variable.name)))
        for variable in variables(model)
    }
    step = int(_tensor(prefix, reader, STEP))
    if step < 0:
        raise CheckpointError(f"{prefix}: {STEP} is {step}: expected at least 0")
    return weights, step


def _specs(model: nn.Module) -> dict[str, tuple[str, list[int]]]:
    """Return the dtype and the shape of each tensor of a network's checkpoint, by name."""
    specs = {variable.name: ("float32", list(variable.shape)) for variable in variables(model)}
    return {**specs, STEP: ("int64", [])}


def _require_specs(prefix: Path, reader: Any, expected: dict[str, tuple[str, list[int]]]) -> None:
    """Compare the names, dtypes and shapes in the index with the expected ones."""
    types, shapes = reader.get_variable_to_dtype_map(), reader.get_variable_to_shape_map()
    other = f"{prefix} is not a checkpoint of the tutorial's network"
    for name, (type_, shape) in expected.items():
        if name not in shapes:
            raise CheckpointError(f"{other}: it has no tensor {name}")
        if (types[name].name, list(shapes[name])) != (type_, shape):
            raise CheckpointError(
                f"{other}: its tensor {name} is {types[name].name} {list(shapes[name])}, expected "
                f"{type_} {shape}"
            )
    if unknown := sorted(shapes.keys() - expected.keys()):
        raise CheckpointError(f"{other}: it has an unknown tensor {unknown[0]}")


def _tensor(prefix: Path, reader: Any, name: str) -> Any:
    """Read one tensor; `reader` is TensorFlow's."""
    try:
        return reader.get_tensor(name)
    except Exception as error:  # of many kinds; an IndexError where a file is truncated
        raise CheckpointError(
            f"{prefix}.data-*: the tensor {name} cannot be read: {first_line(error)}; copy the "
            "checkpoint again"
        ) from error


def write_checkpoint(model: nn.Module, folder: Path, step: int) -> None:
    """Write a network's weights as the tutorial's program does: `folder/model.ckpt-STEP.*`.

    Args:
        model: the network.
        folder: created; it must not exist.
        step: the number of updates, stored as `global_step`.

    Raises:
        OSError: it cannot be written.
        ExportError: a layer has no counterpart, see `variables.names`.
        MissingExtraError: TensorFlow is not installed.
    """
    library = tensorflow()
    values = {**tensors(model), STEP: np.int64(step)}
    names = sorted(values)  # the order in which TensorFlow writes them
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
