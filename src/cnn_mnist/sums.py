"""`SHA256SUMS`: what the files of a folder were when they were finished.

It begins with the number of its files, so that a shortened list is noticed too, and is read by
`sha256sum --check`. A file is taken off the list before it is changed and put on it again after:
stopped at any moment, the list never accuses a file that is whole.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cnn_mnist.files import read_bounded, replace, sha256

SUMS: Final = "SHA256SUMS"
_MAX_BYTES: Final = 1 << 16
_LINE: Final = re.compile(r"([0-9a-f]{64})  ([\w.-]+)", re.ASCII)


def add(folder: Path, names: Iterable[str]) -> None:
    """Put files, as they are now, on a folder's list.

    Raises:
        OSError: one cannot be read, or the list not be written.
    """
    _write(folder, (_read(folder) or {}) | {name: sha256(folder / name) for name in names})


def remove(folder: Path, names: Iterable[str]) -> None:
    """Take files off a folder's list, where they are on it: they are about to be changed.

    Raises:
        OSError: the list cannot be written.
    """
    listed = _read(folder) or {}
    kept = {name: listed[name] for name in listed.keys() - set(names)}
    if kept != listed:
        _write(folder, kept)


def damaged(folder: Path, names: Iterable[str] | None = None) -> list[str]:
    """Names of the listed files (of those in `names`) that are not what they were, or not there.

    It is the list itself where that makes no sense.
    """
    listed = _read(folder)
    if listed is None:
        return [SUMS]
    looked_at = listed.keys() if names is None else listed.keys() & set(names)
    return sorted(name for name in looked_at if _sum(folder / name) != listed[name])


def _sum(path: Path) -> str | None:
    try:
        return sha256(path)
    except OSError:
        return None


def _read(folder: Path) -> dict[str, str] | None:
    """The list, by name; empty where there is none, None where it makes no sense."""
    try:
        content = read_bounded(folder / SUMS, _MAX_BYTES)
    except FileNotFoundError:
        return {}
    except OSError:
        return None
    lines = content.decode("ascii", errors="replace").split("\n")
    entries = [_LINE.fullmatch(line) for line in lines[1:-1]]
    listed = {entry[2]: entry[1] for entry in entries if entry}
    return listed if content == _content(listed) else None


def _write(folder: Path, listed: dict[str, str]) -> None:
    replace(folder / SUMS, _content(listed))


def _content(listed: dict[str, str]) -> bytes:
    lines = [f"# SHA-256 of {len(listed)} files", *(f"{listed[n]}  {n}" for n in sorted(listed))]
    return "".join(f"{line}\n" for line in lines).encode()
