"""Fuzz the readers of all files but images: no crash, no hang, no unlimited memory.

    python fuzz/files.py --n 1000000 > benchmarks/results/fuzz-files.json

IDX files, a checkpoint's JSON and safetensors, and a run's recipe. Fuzzing is guided by coverage:
atheris (`pip install '.[fuzz]'`) changes the bytes of valid files, and continues with the inputs
that reach new lines. A reader must return the content or raise its documented error; anything else
ends the fuzzing of that form, and the input is shown. An input that takes more than `LIMIT_S` is a
hang. A process may grow by `GROWTH_MIB`; more memory is refused to it, which counts as a crash. The
last line of standard output is one JSON object.
"""

import argparse
import gzip
import json
import mmap
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["cnn_mnist"], enable_loader_override=False):
    from cnn_mnist.data import idx
    from cnn_mnist.errors import DataError, RunError
    from cnn_mnist.machine import machine, versions
    from cnn_mnist.recipe import named
    from cnn_mnist.runs.checkpoint import Checkpoint, from_bytes, to_bytes
    from cnn_mnist.runs.identity import read_identity
    from cnn_mnist.runs.run import Run

import numpy as np
import torch

LIMIT_S = 5
GROWTH_MIB = 512
MAX_INPUT_BYTES = 4096

VALID = to_bytes(
    Checkpoint(
        step=20,
        seed=7,
        recipe=named("standard"),
        classes=10,
        weights={"logits.weight": torch.ones(10, 4), "logits.bias": torch.zeros(10)},
        optimizer={"logits.bias/exp_avg": torch.zeros(10), "logits.bias/step": torch.tensor(1.0)},
        train_seconds=1.5,
    )
)


class Refused(Exception):  # noqa: N818 - the expected result is not an error
    """The reader raised its documented error."""


def read_idx(content: bytes, place: Path) -> None:
    """Read an input as a file of a data set."""
    path = place / "images-idx3-ubyte"
    path.write_bytes(content)
    try:
        idx.read(path)
    except DataError as error:
        raise Refused from error


def read_state(content: bytes, place: Path) -> None:
    """Read an input as a checkpoint's `state.json`."""
    _read_checkpoint(VALID[0], VALID[1], content)


def read_tensors(content: bytes, place: Path) -> None:
    """Read an input as a checkpoint's weights."""
    _read_checkpoint(content, VALID[1], VALID[2])


def _read_checkpoint(*contents: bytes) -> None:
    try:
        from_bytes(contents)
    except ValueError as error:
        raise Refused from error


def read_recipe(content: bytes, place: Path) -> None:
    """Read an input as a run's `recipe.json`."""
    run = Run(place)
    run.recipe_file.write_bytes(content)
    try:
        read_identity(run)
    except RunError as error:
        raise Refused from error


FORMS: dict[str, Callable[[bytes, Path], None]] = {
    "idx": read_idx,
    "state": read_state,
    "safetensors": read_tensors,
    "recipe": read_recipe,
}


def seeds() -> dict[str, list[bytes]]:
    """Return valid files of each form."""
    images = np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28)
    plain = struct.pack(">HBB3I", 0, 8, 3, *images.shape) + images.tobytes()
    identity = {"dataset": "mnist", "dataset_sha256": "0" * 64, "classes": 10, "seed": 0}
    recipes = [named(name).to_dict() for name in ("standard", "tutorial")]
    return {
        "idx": [plain, gzip.compress(plain), struct.pack(">HBBI", 0, 8, 1, 3) + b"\0\1\2"],
        "state": [VALID[2], json.dumps(json.loads(VALID[2])).encode()],
        "safetensors": list(VALID[:2]),
        "recipe": [json.dumps(identity | {"recipe": recipe}).encode() for recipe in recipes],
    }


def fuzz(form: str, count: int, seed: int) -> dict[str, Any]:
    """Fuzz one reader with `count` inputs, in a process of its own; return the counts."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        corpus, place = Path(folder, "corpus"), Path(folder, "place")
        corpus.mkdir()
        place.mkdir()
        for number, content in enumerate(seeds()[form]):
            (corpus / str(number)).write_bytes(content)
        counts = Path(folder, "counts")
        counts.write_bytes(bytes(24))
        began = time.monotonic()
        command = [sys.executable, __file__, folder, "--form", form]
        command += ["--n", str(count), "--seed", str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        refused, read, peak_kib = struct.unpack("<3q", counts.read_bytes())
        if done.returncode:
            print(f"{form}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}", file=sys.stderr)
        hung = "ALARM: working on the last Unit" in done.stderr
        return {
            "n": refused + read,
            "refused": refused,
            "read": read,
            "crashed": int(done.returncode != 0 and not hung),
            "hung": int(hung),
            "peak_mib": peak_kib // 1024,
            "corpus": len(list(corpus.iterdir())),
            "seconds": round(time.monotonic() - began, 1),
        }


def run_one(form: str, count: int, seed: int, folder: Path) -> None:
    """Fuzz one reader in this process; atheris ends the process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + (GROWTH_MIB << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with (folder / "counts").open("r+b") as stream:
        counts = mmap.mmap(stream.fileno(), 24)
    seen = [0, 0]

    def one_input(content: bytes) -> None:
        try:
            FORMS[form](content, folder / "place")
            seen[1] += 1
        except Refused:
            seen[0] += 1
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        counts[:] = struct.pack("<3q", *seen, peak_kib)

    options = [f"-runs={count}", f"-seed={seed}", f"-timeout={LIMIT_S}", "-rss_limit_mb=0"]
    options += [f"-max_len={MAX_INPUT_BYTES}", f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *options, str(folder / "corpus")], one_input)
    atheris.Fuzz()


def run(count: int, seed: int = 1) -> dict[str, Any]:
    """Fuzz every reader with its share of `count` inputs."""
    results = {form: fuzz(form, count // len(FORMS), seed) for form in FORMS}
    totals = ("n", "refused", "read", "crashed", "hung")
    return {name: sum(result[name] for result in results.values()) for name in totals} | results


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1_000_000, help="number of inputs")
    parser.add_argument("--seed", type=int, default=1, help="of the changes")
    parser.add_argument("--form", choices=list(FORMS), help=argparse.SUPPRESS)
    parser.add_argument("folder", type=Path, nargs="?", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.form:
        run_one(arguments.form, arguments.n, arguments.seed, arguments.folder)
    result = run(arguments.n, arguments.seed)
    print(json.dumps(result | {"versions": versions(), "machine": machine()}))


if __name__ == "__main__":
    main()
