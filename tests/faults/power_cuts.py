"""A disk that loses its power: what a save may leave behind, as far as POSIX lets it.

What was written and not fsynced may be on the disk in whole, in part, as zeros or not at all; what
was created, renamed or removed in a directory that was not fsynced since may have happened or not,
each for itself. A save is recorded, cut off after each of its operations, and what a disk may then
hold is drawn at random and written to a real folder, which must hold a whole checkpoint: the one
before the save or, and always where the save had returned, the new one.

A disk that lies, and forgets one fsync, is tried too: what is damaged then must be noticed, and the
checkpoint before be used.
"""

import random
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from cnn_mnist.checkpoint import Checkpoint, newest, save

from cnn_mnist import checkpoint as room

Operation = tuple[Any, ...]


@dataclass
class File:
    """A file's bytes, as they are on the disk and as programs see them."""

    durable: bytes = b""
    seen: bytes = b""

    def after_cut(self, draw: random.Random) -> bytes:
        """What may be found."""
        if self.seen == self.durable:
            return self.durable
        half = self.seen[: len(self.seen) // 2]
        zeros = half + bytes(len(self.seen) - len(half))
        return draw.choice([self.durable, half, zeros, self.seen])


@dataclass
class Folder:
    """A directory's entries as programs see them, as they are on the disk, and what came since."""

    durable: dict[str, "File | Folder"] = field(default_factory=dict)
    seen: dict[str, "File | Folder"] = field(default_factory=dict)
    pending: list[Operation] = field(default_factory=list)

    def change(self, *operation: Any) -> None:
        """Do an operation for programs; the disk has it later, or never."""
        _apply(self.seen, operation)
        self.pending.append(operation)

    def sync(self) -> None:
        """The disk has what programs see."""
        self.durable, self.pending = dict(self.seen), []

    def write_after_cut(self, path: Path, draw: random.Random) -> None:
        """Write to a real place what may be found."""
        entries = dict(self.durable)
        for operation in self.pending:
            if draw.random() < 0.5:
                _apply(entries, operation)
        path.mkdir()
        for name, entry in entries.items():
            if isinstance(entry, Folder):
                entry.write_after_cut(path / name, draw)
            else:
                (path / name).write_bytes(entry.after_cut(draw))


def _apply(entries: dict[str, "File | Folder"], operation: Operation) -> None:
    match operation:
        case ("link", name, entry):
            entries[name] = entry
        case ("unlink", name):
            entries.pop(name, None)
        case ("rename", old, new):
            if old in entries:
                entries[new] = entries.pop(old)


@contextmanager
def recorded(top: Path) -> Iterator[list[Operation]]:
    """Record what the checkpoints' room does below `top`, as `(what, path, ...)`."""
    operations: list[Operation] = []
    mkdir, rename, rmtree = Path.mkdir, Path.rename, shutil.rmtree
    write, sync = room.write_synced, room.sync_directory

    def on_mkdir(path: Path, *args: Any, **kwargs: Any) -> None:
        if not path.exists():
            operations.append(("mkdir", path.relative_to(top)))
        mkdir(path, *args, **kwargs)

    def on_rename(path: Path, target: Path) -> Path:
        operations.append(("rename", path.relative_to(top), target.relative_to(top)))
        return rename(path, target)

    def on_write(path: Path, content: bytes) -> None:
        operations.append(("write", path.relative_to(top), content))
        operations.append(("sync file", path.relative_to(top)))
        write(path, content)

    def on_sync(path: Path) -> None:
        operations.append(("sync folder", path.relative_to(top)))
        sync(path)

    def on_rmtree(path: Path, *args: Any, **kwargs: Any) -> None:
        doomed = (*sorted(path.rglob("*")), path)
        operations.extend(("remove", entry.relative_to(top)) for entry in doomed)
        rmtree(path, *args, **kwargs)

    with (
        mock.patch.object(Path, "mkdir", on_mkdir),
        mock.patch.object(Path, "rename", on_rename),
        mock.patch.object(shutil, "rmtree", on_rmtree),
        mock.patch.object(room, "write_synced", on_write),
        mock.patch.object(room, "sync_directory", on_sync),
    ):
        yield operations


def replayed(operations: list[Operation]) -> Folder:
    """The disk after these operations."""
    top = Folder()
    for what, path, *more in operations:
        parent = _entry(top, path.parent)
        match what:
            case "mkdir":
                parent.change("link", path.name, Folder())
            case "write":
                parent.change("link", path.name, File(seen=more[0]))
            case "sync file":
                parent.seen[path.name].durable = parent.seen[path.name].seen
            case "sync folder":
                _entry(top, path).sync()
            case "rename":
                parent.change("rename", path.name, more[0].name)
            case "remove":
                parent.change("unlink", path.name)
    return top


def _entry(top: Folder, path: Path) -> Any:
    entry: Any = top
    for name in path.parts:
        entry = entry.seen[name]
    return entry


def campaign(folder: Path, checkpoints: list[Checkpoint], *, draws: int) -> dict[str, Any]:
    """Save checkpoints of steps that rise; cut the power after each operation of the last save.

    The last one is saved over a damaged one of the same step, and has two older ones removed: all
    that a save can do.
    """
    top = folder / "recorded"
    top.mkdir()
    *before, last = checkpoints
    with recorded(top) as operations:
        for checkpoint in before:
            save(top, checkpoint, keep=len(checkpoints))
        begun = len(operations)
        save(top, last, keep=2)
    steps = [checkpoint.step for checkpoint in checkpoints]
    draw = random.Random(0)
    counts = {"operations": len(operations) - begun, "states": 0, "not_loadable": 0, "lies": 0}
    counts |= {"unnoticed_lies": 0}
    for cut in range(begun, len(operations) + 1):
        done = cut == len(operations)
        for _ in range(draws):
            disk = replayed(operations[:cut])
            step, warned = _found(folder / "found", disk, draw)
            counts["states"] += 1
            counts["not_loadable"] += warned or step not in (steps[-1:] if done else steps[-2:])
    for lie in range(begun, len(operations)):
        if operations[lie][0].startswith("sync"):
            disk_operations = operations[:lie] + operations[lie + 1 :]
            for _ in range(draws):
                step, _ = _found(folder / "found", replayed(disk_operations), draw)
                counts["lies"] += 1
                counts["unnoticed_lies"] += step not in steps[-2:]
    return counts


def _found(path: Path, disk: Folder, draw: random.Random) -> tuple[int | None, bool]:
    """The step of the newest checkpoint after the cut, and whether anything was warned of."""
    disk.write_after_cut(path, draw)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            checkpoint = newest(path)
        except Exception as error:
            print(f"nothing to go on with after a cut: {error}")
            checkpoint = None
    shutil.rmtree(path)
    return checkpoint.step if checkpoint else None, bool(warned)
