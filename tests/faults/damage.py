"""Damage the files of a finished run: cut them short and flip bits.

Damage to any file of a checkpoint must be reported with the name of the file, and the checkpoint
before it must be used. SHA256SUMS and the files that it lists are told apart by nothing but their
contents: if either is damaged, naming any of them counts. Damage to `recipe.json` or
`evaluation.json` must be reported by name, unless what is left is still valid.
"""

import random
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnn_mnist import Classifier
from cnn_mnist.data.dataset import Dataset
from cnn_mnist.errors import CheckpointError, RunError
from cnn_mnist.runs.checkpoint import found, load, newest
from cnn_mnist.runs.identity import read_identity
from cnn_mnist.runs.json_files import read_json
from cnn_mnist.runs.run import Run

from .forked_training import RECIPE


def campaign(folder: Path, dataset: Dataset, *, cuts: int, flips: int) -> dict[str, Any]:
    """Damage each file `cuts` + `flips` times; count what is not noticed."""
    run = Run(folder / "damaged")
    classifier = Classifier(run.path, RECIPE, seed=0, device="cpu")
    classifier.train(dataset).finish(dataset)
    draw = random.Random(0)
    counts: Counter[str] = Counter()
    checkpoint_files = sorted(path for path in run.checkpoints.rglob("*") if path.is_file())
    files = [*checkpoint_files, run.recipe_file, run.evaluation_file]
    for path in files:
        whole = path.read_bytes()
        for kind, content in _damaged(whole, draw, cuts, flips):
            path.write_bytes(content)
            counts[kind] += 1
            if path in checkpoint_files:
                counts.update(_read_checkpoints(run, path))
            else:
                counts.update(_read_json_files(run, path))
        path.write_bytes(whole)
    names = ("cut", "flipped", "still_valid", "not_noticed", "wrong_checkpoint_used")
    return {
        "files": [str(path.relative_to(run.path)) for path in files],
        **{name: counts[name] for name in names},
    }


def _damaged(
    whole: bytes, draw: random.Random, cuts: int, flips: int
) -> Iterator[tuple[str, bytes]]:
    for number in range(cuts):  # from an empty file to one byte missing
        yield "cut", whole[: (len(whole) - 1) * number // max(1, cuts - 1)]
    for _ in range(flips):
        content = bytearray(whole)
        content[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        yield "flipped", bytes(content)


def _read_checkpoints(run: Run, path: Path) -> Iterator[str]:
    """Read the checkpoints of a run, one file of which is damaged; yield the failures."""
    messages = []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        checkpoint = newest(run.checkpoints)
    try:  # an older one is read only if all newer ones are damaged
        load(path.parent)
    except CheckpointError as error:
        messages.append(str(error))
    messages += [str(warning.message) for warning in warned]
    named = path.parent.iterdir() if path.name == "SHA256SUMS" else [path]
    if not any(str(file) in message for file in named for message in messages):
        print(f"damage to {path} is not noticed: {messages}")
        yield "not_noticed"
    newest_is_whole = path.parent != found(run.checkpoints)[0]
    expected = RECIPE.steps if newest_is_whole else RECIPE.steps - RECIPE.checkpoint_every
    if checkpoint is None or checkpoint.step != expected:
        yield "wrong_checkpoint_used"


def _read_json_files(run: Run, path: Path) -> Iterator[str]:
    """Read the JSON files of a run, one of which is damaged; yield what came of it."""
    try:
        read_identity(run)
        read_json(run.evaluation_file)
    except RunError as error:
        if str(path) in str(error):
            return
        print(f"damage to {path} is not noticed: {error}")
        yield "not_noticed"
    except Exception as error:
        print(f"damage to {path} ends in {error!r}")
        yield "not_noticed"
    else:
        yield "still_valid"
