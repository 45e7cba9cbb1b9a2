"""Checkpoints: a run's whole state on disk, durable and free of pickle.

A checkpoint is a folder `step-00020000/` with

    model.safetensors       the weights
    optimizer.safetensors   the optimizer's state, as `PARAMETER/KEY`
    state.json              step, seed, recipe, classes, seconds of training
    SHA256SUMS              of the three, in the form that `sha256sum --check` reads

Guarantees: a folder of that name was whole and on the disk before it got its name; a changed,
missing or added byte in any of its files is noticed on reading. The randomness of a step is a pure
function of (seed, step), so the two numbers are the state of every generator.
"""

import json
import os
import re
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from cnn_mnist.errors import CheckpointError, CnnMnistWarning, RecipeError
from cnn_mnist.files import sha256, sync_directory, write_synced
from cnn_mnist.recipe import Recipe

MAX_FILE_BYTES: Final = 1 << 30
_FILES: Final = ("model.safetensors", "optimizer.safetensors", "state.json")
_NAME: Final = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A run's state after `step` updates."""

    step: int
    seed: int
    recipe: Recipe
    classes: int
    weights: Mapping[str, torch.Tensor]
    optimizer: Mapping[str, torch.Tensor]
    train_seconds: float
    """Time spent in training steps so far."""


def save(directory: Path, checkpoint: Checkpoint, *, keep: int = 3) -> Path:
    """Write a checkpoint, then remove all but the newest `keep`.

    Args:
        directory: the run's `checkpoints/`; created where missing.
        checkpoint: the state.
        keep: how many stay, at least 1.

    Returns:
        The new checkpoint's folder.

    Raises:
        CheckpointError: it could not be written (full disk, no permission); the earlier ones are
            untouched.
    """
    target = directory / f"step-{checkpoint.step:08d}"
    temporary = directory / f".{target.name}.{os.getpid()}.tmp"
    state = {
        "step": checkpoint.step,
        "seed": checkpoint.seed,
        "recipe": checkpoint.recipe.to_dict(),
        "classes": checkpoint.classes,
        "train_seconds": checkpoint.train_seconds,
    }
    contents = (
        save_tensors(dict(checkpoint.weights)),
        save_tensors(dict(checkpoint.optimizer)),
        (json.dumps(state, indent=2) + "\n").encode(),
    )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(directory)
        temporary.mkdir()
        for name, content in zip(_FILES, contents, strict=True):
            write_synced(temporary / name, content)
        write_synced(temporary / "SHA256SUMS", _sums(temporary).encode())
        sync_directory(temporary)
        if target.exists():  # a damaged one of the same step: it was not restored from
            _remove(target)
        temporary.rename(target)
        sync_directory(directory)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise CheckpointError(
            f"{target} cannot be written: {error.strerror or error}; "
            "earlier checkpoints are whole: make room or permission, then train again to go on"
        ) from error
    for old in found(directory)[keep:]:
        _remove(old)
    return target


def found(directory: Path) -> list[Path]:
    """The checkpoint folders in a run's `checkpoints/`, newest first; empty where there is none."""
    if not directory.is_dir():
        return []
    steps = [(int(match[1]), path) for path in directory.iterdir() if (match := _match(path))]
    return [path for _, path in sorted(steps, reverse=True)]


def load(path: Path) -> Checkpoint:
    """Read one checkpoint and check every byte of it.

    Raises:
        CheckpointError: a file is missing, damaged or unreadable; the line names it.
    """
    try:
        for name in _FILES:
            if (size := (path / name).stat().st_size) > MAX_FILE_BYTES:
                raise CheckpointError(f"{path / name} is too large to be true: {size:,} bytes")
        if damaged := _damaged(path):
            raise CheckpointError(f"{path / damaged} is damaged: its SHA-256 does not match")
        weights, optimizer = (load_tensors((path / name).read_bytes()) for name in _FILES[:2])
        state: dict[str, Any] = json.loads((path / _FILES[2]).read_bytes())
        return Checkpoint(
            step=int(state["step"]),
            seed=int(state["seed"]),
            recipe=Recipe.from_dict(state["recipe"]),
            classes=int(state["classes"]),
            train_seconds=float(state["train_seconds"]),
            weights=weights,
            optimizer=optimizer,
        )
    except OSError as error:
        name = Path(error.filename or path).name
        raise CheckpointError(f"{path / name} cannot be read: {error.strerror or error}") from error
    except (SafetensorError, RecipeError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{path} is no checkpoint of this program: {error}") from error


def newest(directory: Path) -> Checkpoint | None:
    """The newest whole checkpoint, with a `CnnMnistWarning` for each damaged one passed over.

    Args:
        directory: a run's `checkpoints/`.

    Returns:
        The checkpoint; None where there are none.

    Raises:
        CheckpointError: there are checkpoints, but none is whole.
    """
    damaged: list[str] = []
    for path in found(directory):
        try:
            checkpoint = load(path)
        except CheckpointError as error:
            damaged.append(str(error))
            continue
        for line in damaged:
            warnings.warn(f"{line}; {path.name} is used instead", CnnMnistWarning, stacklevel=2)
        return checkpoint
    if damaged:
        raise CheckpointError(f"{directory} holds no whole checkpoint: {'; '.join(damaged)}")
    return None


def _match(path: Path) -> re.Match[str] | None:
    return _NAME.fullmatch(path.name)


def _sums(folder: Path) -> str:
    return "".join(f"{sha256(folder / name)}  {name}\n" for name in _FILES)


def _damaged(folder: Path) -> str | None:
    """Name of the first file that is not what was saved; None where all are."""
    stated = (folder / "SHA256SUMS").read_bytes()
    true = _sums(folder).encode()
    if stated == true:
        return None
    for name, said, line in zip(_FILES, stated.splitlines(), true.splitlines(), strict=False):
        if said[64:] == line[64:] and said != line:
            return name
    return "SHA256SUMS"


def _remove(folder: Path) -> None:
    """Remove a checkpoint; stopped half-way it leaves no folder that looks like one."""
    doomed = folder.with_name(f".{folder.name}.{os.getpid()}.tmp.old")
    folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _remove_leftovers(directory: Path) -> None:
    """Remove what a killed save or removal left behind."""
    for path in directory.glob(".step-*.tmp*"):
        shutil.rmtree(path, ignore_errors=True)
