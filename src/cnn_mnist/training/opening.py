"""Open a run directory for training: lock it, and find what training goes on from.

In a group the main process reads its disk, and the others take what it found.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from cnn_mnist.data.dataset import Dataset
from cnn_mnist.errors import CnnMnistWarning, RunError
from cnn_mnist.recipe import Recipe
from cnn_mnist.runs.checkpoint import Checkpoint, found, from_bytes, newest, to_bytes
from cnn_mnist.runs.identity import Identity, read_identity, write_identity
from cnn_mnist.runs.lock import locked
from cnn_mnist.runs.run import Run, drop_old_checksums, require_own_folder
from cnn_mnist.runs.start import StartWeights
from cnn_mnist.training.distributed import Group
from cnn_mnist.training.schedules import learning_rate_at


@contextmanager
def locked_run(run: Run, group: Group) -> Iterator[None]:
    """Hold the run directory's lock in the one process that writes there.

    Raises:
        RunError: another process trains there, or the directory holds something else than a run;
            then nothing has been written.
    """
    if not group.is_main:
        yield
        return
    if not found(run.checkpoints):  # with checkpoints, `common_start` says what is missing
        require_own_folder(run)
    with locked(run.path):
        yield


def split_as_before(dataset: Dataset, run: Run, group: Group) -> Dataset:
    """Return the data set in the split of the run that is on the main process's disk, if any."""
    before = read_identity(run) if group.is_main else None
    sha256 = group.broadcast(before.dataset_sha256.encode() if before else b"").decode()
    return dataset.split_as(sha256 or None)


def start_sha256(start: StartWeights | None, run: Run, group: Group) -> str | None:
    """Return the hash of the weights that a run starts from, None where the seed draws them.

    Where none are given, a run that has a checkpoint keeps its own: it need not be told again.
    """
    kept = read_identity(run) if group.is_main and found(run.checkpoints) else None
    sha256 = start.sha256 if start else (kept.start_sha256 if kept else None)
    if group.size > 1:
        common = group.broadcast((sha256 or "").encode()).decode() or None
        sha256 = start.sha256 if start else common
    return sha256


def common_start(run: Run, identity: Identity, group: Group) -> Checkpoint | None:
    """Return the checkpoint that the whole group goes on from: that of the main process's disk.

    Raises:
        RunError: the directory belongs to another run, or this process trains another one than the
            main process.
        CheckpointError: none of the checkpoints is whole.
    """
    checkpoint = None
    if group.is_main:
        before = read_identity(run)
        if before is not None and (changes := before.differences(identity)):
            raise RunError(
                f"{run.path} holds another run ({'; '.join(changes)}): "
                "train it as it was, or choose another run directory"
            )
        if before is None and found(run.checkpoints):
            raise RunError(f"{run.recipe_file} is missing, but there are checkpoints beside it")
        checkpoint = newest(run.checkpoints)
    if group.size == 1:
        return checkpoint
    # another folder may hold the same data
    mine = repr(replace(identity, dataset="", origin=None)).encode()
    if group.broadcast(mine) != mine:
        raise RunError(
            f"worker {group.rank} has another recipe, data set or seed than worker 0: give the "
            "same flags and the same data on every machine"
        )
    parts = to_bytes(checkpoint) if checkpoint else (b"",) * 3
    contents = [group.broadcast(part) for part in parts]
    return from_bytes(contents) if contents[-1] else None


def require_steps_left(run: Run, checkpoint: Checkpoint, recipe: Recipe) -> None:
    """Raise `RunError` where a run is beyond the step that it should end at."""
    if checkpoint.step > recipe.steps:
        raise RunError(
            f"{run.path} is at step {checkpoint.step} already, beyond step {recipe.steps}: "
            "train to a later step, or choose another run directory"
        )


def warn_of_another_end(checkpoint: Checkpoint, recipe: Recipe) -> None:
    """Warn where a schedule that depends on the last step is stretched or cut."""
    before, now = checkpoint.recipe, recipe
    step = checkpoint.step
    if step < now.steps and learning_rate_at(before, step) != learning_rate_at(now, step):
        warnings.warn(
            f"the {now.schedule} schedule was laid out for {before.steps} steps and is now for "
            f"{now.steps}: the result differs from one run of {now.steps} steps",
            CnnMnistWarning,
            stacklevel=3,
        )


def write_start(run: Run, identity: Identity) -> None:
    """Bring a run directory up to the training that begins: what it is, and nothing outdated."""
    drop_old_checksums(run)
    before = read_identity(run)
    if before and identity.origin is None:  # the same data, now from Python
        identity = replace(identity, origin=before.origin)
    if before != identity:
        write_identity(run, identity)
