"""Keep a run's whole state on the disk, durable and free of pickle.

A checkpoint is a folder `step-00020000/` with

    model.safetensors       the weights
    optimizer.safetensors   the optimizer's state, as `PARAMETER/KEY`
    state.json              step, seed, recipe, classes, seconds of training
    SHA256SUMS              of the three, as `sha256sum --check` reads it

Guarantees: a folder of that name was whole and on the disk before it got its name; a changed,
missing or added byte in any of its files is noticed on reading. The randomness of a step is a pure
function of (seed, step), so these two numbers are the state of every generator.
"""

import hashlib
import json
import re
import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from cnn_mnist.errors import CheckpointError, CnnMnistWarning, reason_of
from cnn_mnist.files import read_bounded, sync_directory, temporary_folder, write_synced
from cnn_mnist.recipe import MAX_CLASSES, MAX_SEED, MAX_STEPS, Recipe, whole_number

MAX_FILE_BYTES: Final = 1 << 32
"""Of one file of a checkpoint: a network of a billion parameters."""
_MAX_SUMS_BYTES: Final = 1 << 12
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
    contents = to_bytes(checkpoint)
    if (largest := max(map(len, contents))) > MAX_FILE_BYTES:
        raise CheckpointError(
            f"{target} cannot be written: it has {largest:,} bytes, and the limit is "
            f"{MAX_FILE_BYTES:,}: train a smaller network"
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(directory)
        with temporary_folder(target) as folder:
            new = folder / target.name
            new.mkdir()
            for name, content in zip(_FILES, contents, strict=True):
                write_synced(new / name, content)
            write_synced(new / "SHA256SUMS", _sums(contents))
            sync_directory(new)
            if target.exists():  # a damaged one of the same step: it was not restored from
                remove(target)
            new.rename(target)
        sync_directory(directory)
        for old in found(directory)[keep:]:
            remove(old)
    except OSError as error:
        raise CheckpointError(
            f"{target} cannot be written: {reason_of(error)}; "
            "earlier checkpoints are whole: make room or permission, then train again to go on"
        ) from error
    return target


def found(directory: Path) -> list[Path]:
    """Return the checkpoint folders in a run's `checkpoints/`, newest first."""
    if not directory.is_dir():
        return []
    checkpoints = [path for path in directory.iterdir() if _NAME.fullmatch(path.name)]
    return sorted(checkpoints, key=step_of, reverse=True)


def load(path: Path) -> Checkpoint:
    """Read one checkpoint and check every byte of it.

    Raises:
        CheckpointError: a file is missing, damaged or unreadable; the line names it.
    """
    try:
        contents = tuple(read_bounded(path / name, MAX_FILE_BYTES) for name in _FILES)
        stated = read_bounded(path / "SHA256SUMS", _MAX_SUMS_BYTES)
    except OSError as error:
        name = Path(error.filename or path).name
        raise CheckpointError(f"{path / name} cannot be read: {reason_of(error)}") from error
    if damaged := _damaged(contents, stated):
        raise CheckpointError(f"{path / damaged} is damaged: its SHA-256 does not match")
    try:
        return from_bytes(contents)
    except ValueError as error:
        raise CheckpointError(f"{path} is not a checkpoint of this program: {error}") from error


def to_bytes(checkpoint: Checkpoint) -> tuple[bytes, ...]:
    """Return the contents of a checkpoint's files, in the order that `from_bytes` expects."""
    state = {
        "step": checkpoint.step,
        "seed": checkpoint.seed,
        "recipe": checkpoint.recipe.to_dict(),
        "classes": checkpoint.classes,
        "train_seconds": checkpoint.train_seconds,
    }
    return (
        save_tensors(_apart(checkpoint.weights)),
        save_tensors(_apart(checkpoint.optimizer)),
        (json.dumps(state, indent=2) + "\n").encode(),
    )


def _apart(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return tensors none of which share memory, as tied weights do; the file holds each of them.

    Loaded into the network that ties them, they are the same weights again.
    """
    seen: set[int] = set()
    apart = {}
    for name, value in tensors.items():
        place = value.untyped_storage().data_ptr()
        apart[name] = value.clone() if place in seen else value
        seen.add(place)
    return apart


def from_bytes(contents: Sequence[bytes]) -> Checkpoint:
    """Return the checkpoint whose files have these contents, checking all of them.

    Raises:
        ValueError: they are not those of a checkpoint.
    """
    try:
        weights, optimizer = (load_tensors(content) for content in contents[:2])
        state: dict[str, Any] = json.loads(contents[2])
        train_seconds = float(state["train_seconds"])
        if not 0 <= train_seconds < float("inf"):
            raise ValueError(f"train_seconds is {train_seconds}")
        return Checkpoint(
            step=whole_number(state["step"], 0, MAX_STEPS),
            seed=whole_number(state["seed"], 0, MAX_SEED),
            recipe=Recipe.from_dict(state["recipe"]),
            classes=whole_number(state["classes"], 1, MAX_CLASSES),
            train_seconds=train_seconds,
            weights=weights,
            optimizer=optimizer,
        )
    except (SafetensorError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error


def newest(directory: Path) -> Checkpoint | None:
    """Return the newest whole checkpoint; a `CnnMnistWarning` names each damaged one skipped.

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


def step_of(path: Path) -> int:
    """Return the step that a checkpoint's folder is named after."""
    return int(path.name.removeprefix("step-"))


def _sums(contents: Sequence[bytes]) -> bytes:
    lines = (
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in zip(_FILES, contents, strict=True)
    )
    return "".join(lines).encode()


def _damaged(contents: Sequence[bytes], stated: bytes) -> str | None:
    """Return the name of the first file that is not as it was saved; None where all are."""
    true = _sums(contents)
    if stated == true:
        return None
    for name, said, line in zip(_FILES, stated.splitlines(), true.splitlines(), strict=False):
        if said[64:] == line[64:] and said != line:
            return name
    return "SHA256SUMS"


def remove(folder: Path) -> None:
    """Remove a checkpoint; a crash half-way leaves no folder that looks like one."""
    hidden = folder.with_name(f".{folder.name}.removed.tmp")
    shutil.rmtree(hidden, ignore_errors=True)  # of a removal that was killed
    folder.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def _remove_leftovers(directory: Path) -> None:
    """Remove what a killed save or removal left behind; the run's lock is held."""
    for path in directory.glob(".step-*.tmp*"):
        shutil.rmtree(path, ignore_errors=True)
