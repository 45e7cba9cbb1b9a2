"""Cut the power during a save: simulate every state that POSIX allows the disk to be in.

What was written and not fsynced may be on the disk in whole, in part, as zeros or not at all. What
was created, moved or removed in a directory that was not fsynced since may have happened or not,
each operation independently of the others. A save is recorded and cut off after each of its
operations; a state that the disk may then be in is drawn at random and written to a real folder.
The newest checkpoint there must be whole: the one before the save or the new one, and always the
new one once the save has returned.

A disk that ignores one fsync is tried, too: damage must be noticed, and the checkpoint before be
used.
"""

import random
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from cnn_mnist.runs import checkpoint as checkpoint_module
from cnn_mnist.runs.checkpoint import Checkpoint, newest, save

Operation = tuple[Any, ...]


@dataclass
class File:
    """A file's bytes, as they are on the disk and as programs see them."""

    durable: bytes = b""
    seen: bytes = b""

    def after_cut(self, draw: random.Random) -> bytes:
        """Draw the bytes that may be found after a power cut."""
        if self.seen == self.durable:
            return self.durable
        half = self.seen[: len(self.seen) // 2]
        zeros = half + bytes(len(self.seen) - len(half))
        return draw.choice([self.durable, half, zeros, self.seen])


@dataclass
class Folder:
    """A directory's entries, on the disk and as programs see them, and the changes since fsync."""

    durable: dict[str, "File | Folder"] = field(default_factory=dict)
    seen: dict[str, "File | Folder"] = field(default_factory=dict)
    pending: list[tuple[str, "File | Folder | None"]] = field(default_factory=list)

    def link(self, name: str, entry: "File | Folder") -> None:
        """Add an entry for programs; the disk may have it later."""
        self.seen[name] = entry
        self.pending.append((name, entry))

    def unlink(self, name: str) -> "File | Folder":
        """Remove an entry for programs and return it; the disk may have it for longer."""
        self.pending.append((name, None))
        return self.seen.pop(name)

    def sync(self) -> None:
        """Bring the disk to what programs see."""
        self.durable, self.pending = dict(self.seen), []

    def write_after_cut(self, path: Path, draw: random.Random) -> None:
        """Draw what may be found after a power cut, and write it to a real folder."""
        entries = dict(self.durable)
        for name, changed in self.pending:
            if draw.random() < 0.5:
                if changed:
                    entries[name] = changed
                else:
                    entries.pop(name, None)
        path.mkdir()
        for name, entry in entries.items():
            if isinstance(entry, Folder):
                entry.write_after_cut(path / name, draw)
            else:
                (path / name).write_bytes(entry.after_cut(draw))


@contextmanager
def recorded(top: Path) -> Iterator[list[Operation]]:
    """Record what saves do below `top`, as `(operation, path, ...)` with paths relative to it."""
    operations: list[Operation] = []
    recording = True
    write, sync = checkpoint_module.write_synced, checkpoint_module.sync_directory

    def on_event(event: str, arguments: tuple[Any, ...]) -> None:
        if not recording:  # an audit hook cannot be removed
            return
        match event, arguments:
            case "os.mkdir", (path, *_) if not Path(path).exists():
                operations.append(("mkdir", Path(path).relative_to(top)))
            case "os.rename", (old, new, *_):
                paths = (Path(path).relative_to(top) for path in (old, new))
                operations.append(("move", *paths))
            case "shutil.rmtree", (path, *_) if Path(path).exists():
                inside = sorted(Path(path).rglob("*"), reverse=True)  # the deepest first
                operations.extend(
                    ("remove", entry.relative_to(top)) for entry in (*inside, Path(path))
                )

    def on_write(path: Path, content: bytes) -> None:
        operations.append(("write", path.relative_to(top), content))
        operations.append(("sync file", path.relative_to(top)))
        write(path, content)

    def on_sync(path: Path) -> None:
        operations.append(("sync folder", path.relative_to(top)))
        sync(path)

    sys.addaudithook(on_event)
    with (
        mock.patch.object(checkpoint_module, "write_synced", on_write),
        mock.patch.object(checkpoint_module, "sync_directory", on_sync),
    ):
        yield operations
    recording = False


def replayed(operations: list[Operation]) -> Folder:
    """Return the disk after these operations."""
    top = Folder()
    for what, path, *more in operations:
        parent = _entry(top, path.parent)
        match what:
            case "mkdir":
                parent.link(path.name, Folder())
            case "write":
                parent.link(path.name, File(seen=more[0]))
            case "sync file":
                parent.seen[path.name].durable = parent.seen[path.name].seen
            case "sync folder":
                _entry(top, path).sync()
            case "move":
                (new,) = more
                _entry(top, new.parent).link(new.name, parent.unlink(path.name))
            case "remove":
                parent.unlink(path.name)
    return top


def _entry(top: Folder, path: Path) -> Any:
    entry: Any = top
    for name in path.parts:
        entry = entry.seen[name]
    return entry


def campaign(folder: Path, checkpoints: list[Checkpoint], *, draws: int) -> dict[str, Any]:
    """Save checkpoints of rising steps; cut the power after each operation of the last save.

    The last save also removes two older checkpoints.

    Args:
        folder: an empty one.
        checkpoints: at least three.
        draws: states of the disk that are drawn for each cut.
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
            step, warned = _newest_step(folder / "found", disk, draw)
            counts["states"] += 1
            counts["not_loadable"] += warned or step not in (steps[-1:] if done else steps[-2:])
    for ignored in range(begun, len(operations)):
        if operations[ignored][0].startswith("sync"):
            others = operations[:ignored] + operations[ignored + 1 :]
            for _ in range(draws):
                step, _ = _newest_step(folder / "found", replayed(others), draw)
                counts["lies"] += 1
                counts["unnoticed_lies"] += step not in steps[-2:]
    return counts


def _newest_step(path: Path, disk: Folder, draw: random.Random) -> tuple[int | None, bool]:
    """Cut the power; return the step of the newest whole checkpoint, and whether it warned."""
    disk.write_after_cut(path, draw)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            checkpoint = newest(path)
        except Exception as error:
            print(f"no checkpoint is whole after a power cut: {error}")
            checkpoint = None
    shutil.rmtree(path)
    return checkpoint.step if checkpoint else None, bool(warned)
