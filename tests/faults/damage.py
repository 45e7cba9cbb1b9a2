"""Every file of a finished run, shortened and with bits flipped: all of it is noticed, by name.

Where the newest checkpoint is damaged, the one before it must be used. A file that tells of others
(SHA256SUMS) and a file that it tells of look the same when one of them is damaged: naming either is
naming it.
"""

import random
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.faults.lives import RECIPE
from cnn_mnist.checkpoint import found, load, newest
from cnn_mnist.run import Run, read_identity, warn_of_damage

from cnn_mnist import Classifier
from cnn_mnist.data.dataset import Dataset
from cnn_mnist.errors import CheckpointError, RunError


def campaign(folder: Path, dataset: Dataset, *, cuts: int, flips: int) -> dict[str, Any]:
    """Damage each file so many times in either way; count what is noticed."""
    run = Run(folder / "damaged")
    classifier = Classifier(run.path, RECIPE, seed=0, device="cpu")
    classifier.train(dataset).finish(dataset)
    draw = random.Random(0)
    counts: Counter[str] = Counter()
    files = sorted(path for path in run.path.rglob("*") if path.is_file())
    for path in files:
        whole = path.read_bytes()
        for kind, content in _damaged(whole, draw, cuts, flips):
            path.write_bytes(content)
            counts[kind] += 1
            said, step = _said(run, path)
            names = {path.name}
            if path.name == "SHA256SUMS":
                names |= {other.name for other in path.parent.iterdir()}
            if not any(str(path.parent / name) in said for name in names):
                counts["not_noticed"] += 1
                print(f"{path}: {kind} is not noticed: {said!r}")
            newer_is_whole = path.parent != found(run.checkpoints)[0]
            expected = RECIPE.steps if newer_is_whole else RECIPE.steps - RECIPE.checkpoint_every
            counts["wrong_checkpoint_used"] += step != expected
        path.write_bytes(whole)
    return {
        "files": [str(path.relative_to(run.path)) for path in files],
        **{name: counts[name] for name in ("cut", "flipped", "not_noticed")},
        "wrong_checkpoint_used": counts["wrong_checkpoint_used"],
    }


def _damaged(
    whole: bytes, draw: random.Random, cuts: int, flips: int
) -> Iterator[tuple[str, bytes]]:
    for number in range(cuts):  # from nothing left to one byte missing
        yield "cut", whole[: (len(whole) - 1) * number // max(1, cuts - 1)]
    for _ in range(flips):
        content = bytearray(whole)
        content[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        yield "flipped", bytes(content)


def _said(run: Run, path: Path) -> tuple[str, int | None]:
    """All that is said on reading a run, and the step that it would go on from."""
    lines = []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        warn_of_damage(run)
        checkpoint = newest(run.checkpoints)
        try:
            read_identity(run)
        except RunError as error:
            lines.append(str(error))
    if path.parent.parent == run.checkpoints:  # an older one is read where all newer are damaged
        try:
            load(path.parent)
        except CheckpointError as error:
            lines.append(str(error))
    lines += [str(warning.message) for warning in warned]
    return "\n".join(lines), checkpoint.step if checkpoint else None
