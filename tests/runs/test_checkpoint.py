"""Checkpoints: whole or not there, checked to the last bit, and free of pickle."""

import errno
import json
import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path

import pytest
import torch

from cnn_mnist.errors import CheckpointError, CnnMnistWarning
from cnn_mnist.files import write_synced
from cnn_mnist.recipe import named
from cnn_mnist.runs import checkpoint as checkpoint_module
from cnn_mnist.runs.checkpoint import Checkpoint, found, from_bytes, load, newest, save, to_bytes

FILES = ("model.safetensors", "optimizer.safetensors", "state.json", "SHA256SUMS")


def state(step: int = 20) -> Checkpoint:
    random = torch.Generator().manual_seed(step)
    return Checkpoint(
        step=step,
        seed=7,
        recipe=named("standard", dropout=0.25),
        classes=10,
        weights={
            "conv1.weight": torch.randn(4, 1, 5, 5, generator=random),
            "conv1.bias": torch.zeros(4),
        },
        optimizer={
            "conv1.weight/exp_avg": torch.randn(4, 1, 5, 5, generator=random),
            "conv1.weight/step": torch.tensor(float(step)),
        },
        train_seconds=1.5,
    )


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A directory with the checkpoints of steps 10 and 20."""
    for step in (10, 20):
        save(tmp_path, state(step))
    return tmp_path


def test_what_was_saved_is_what_is_loaded(tmp_path: Path) -> None:
    path = save(tmp_path / "run" / "checkpoints", state())
    assert path.name == "step-00000020"
    assert tuple(sorted(names(path))) == tuple(sorted(FILES))
    loaded, saved = load(path), state()
    for mine, theirs in (
        (loaded.weights, saved.weights),
        (loaded.optimizer, saved.optimizer),
    ):
        assert mine.keys() == theirs.keys()
        for name, tensor in theirs.items():
            assert torch.equal(mine[name], tensor)
            assert mine[name].dtype == tensor.dtype
    nothing = {"weights": {}, "optimizer": {}}
    assert replace(loaded, **nothing) == replace(saved, **nothing)


def test_an_optimizer_without_state_is_kept_as_that(tmp_path: Path) -> None:
    assert load(save(tmp_path, replace(state(), optimizer={}))).optimizer == {}


def test_no_directory_has_no_checkpoint(tmp_path: Path) -> None:
    assert newest(tmp_path / "nothing") is None
    assert newest(tmp_path) is None


def test_steps_are_ordered_as_numbers(tmp_path: Path) -> None:
    for step in (5, 100_000_000, 99_999_999):
        save(tmp_path, state(step))
    assert [path.name for path in found(tmp_path)] == [
        "step-100000000",
        "step-99999999",
        "step-00000005",
    ]


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_only_the_newest_stay(keep: int, tmp_path: Path) -> None:
    for step in (10, 20, 30, 40):
        save(tmp_path, state(step), keep=keep)
    assert names(tmp_path) == [f"step-{step:08d}" for step in (10, 20, 30, 40)[-keep:]]


# --- damage


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [truncate, empty, lengthen, remove])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named_and_the_checkpoint_before_is_used(
    name: str, damage: Callable[[Path], None], two: Path
) -> None:
    damage(two / "step-00000020" / name)
    with pytest.raises(CheckpointError, match=f"step-00000020/{name} (is damaged|cannot be read)"):
        load(two / "step-00000020")
    with pytest.warns(CnnMnistWarning, match=f"{name} .*; step-00000010 is used instead"):
        checkpoint = newest(two)
    assert checkpoint is not None
    assert checkpoint.step == 10


@pytest.mark.parametrize("place", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_noticed_wherever_it_is(name: str, place: float, two: Path) -> None:
    path = two / "step-00000020" / name
    content = bytearray(path.read_bytes())
    content[round(place * (len(content) - 1))] ^= 1
    path.write_bytes(content)
    # a wrong sum of a file and a wrong file look the same
    named_file = name if name != "SHA256SUMS" else "|".join(FILES)
    with pytest.raises(CheckpointError, match=rf"step-00000020/({named_file}) is damaged"):
        load(two / "step-00000020")
    with pytest.warns(CnnMnistWarning, match="step-00000010 is used"):
        assert newest(two) is not None


def test_a_checkpoint_above_the_size_limit_is_not_written(
    two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = load(two / "step-00000020")
    monkeypatch.setattr(checkpoint_module, "MAX_FILE_BYTES", 100)
    with pytest.raises(CheckpointError, match=r"step-00000020 cannot be written: .* limit is 100"):
        save(two, checkpoint)
    monkeypatch.undo()
    assert load(two / "step-00000020").step == 20


def test_a_full_disk_while_old_checkpoints_are_removed_is_a_checkpoint_error(
    two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint_module, "remove", refuse)
    with pytest.raises(CheckpointError, match="No space left"):
        save(two, replace(load(two / "step-00000020"), step=30), keep=1)


def test_a_file_above_the_size_limit_is_not_read(
    two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_module, "MAX_FILE_BYTES", 100)
    with pytest.raises(
        CheckpointError, match=r"model\.safetensors cannot be read: larger than the limit of 100 "
    ):
        load(two / "step-00000020")


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"{}",
        b"nothing",
        b"\xff",
        b"[" * 100_000,
        b'{"step": 1, "seed": 1, "recipe": {"name": 1}}',
    ],
)
def test_a_file_of_another_program_with_right_checksums_is_refused(
    content: bytes, two: Path
) -> None:
    folder = two / "step-00000020"
    (folder / "state.json").write_bytes(content)
    contents = [(folder / name).read_bytes() for name in FILES[:3]]
    (folder / "SHA256SUMS").write_bytes(checkpoint_module._sums(contents))
    with pytest.raises(CheckpointError, match="step-00000020 is not a checkpoint of this program"):
        load(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("step", -1),
        ("step", 1.5),
        ("step", float("inf")),
        ("step", True),
        ("classes", 10**9),
        ("classes", 0),
        ("seed", 1 << 63),
        ("train_seconds", float("nan")),
        ("train_seconds", 10**400),
    ],
)
def test_an_impossible_value_is_refused_before_it_is_used(key: str, value: float) -> None:
    *tensors, content = to_bytes(state())
    odd = json.dumps(json.loads(content) | {key: value}).encode()
    with pytest.raises(ValueError):
        from_bytes([*tensors, odd])


def test_a_pipe_in_place_of_a_checkpoint_file_does_not_block(two: Path) -> None:
    path = two / "step-00000020" / "state.json"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(
        CheckpointError, match=r"state\.json cannot be read: it is not a regular file"
    ):
        load(path.parent)


def test_without_a_whole_checkpoint_it_is_an_error_not_a_fresh_start(two: Path) -> None:
    for path in found(two):
        (path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"no whole checkpoint: .*step-00000020.*00000010"):
        newest(two)


def test_a_damaged_checkpoint_is_replaced_by_one_of_its_step(two: Path) -> None:
    (two / "step-00000020" / "state.json").unlink()
    save(two, state(20))
    assert load(two / "step-00000020").step == 20
    assert names(two) == ["step-00000010", "step-00000020"]


# --- a full disk, a killed process


@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_a_full_disk_leaves_the_earlier_checkpoints_and_nothing_else(
    call: int, two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def write(path: Path, content: bytes) -> None:
        calls.append(path)
        if len(calls) == call:
            write_synced(path, content[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_synced(path, content)

    monkeypatch.setattr(checkpoint_module, "write_synced", write)
    with pytest.raises(CheckpointError, match=r"step-00000030 cannot be written: No space left"):
        save(two, state(30), keep=1)
    assert len(calls) == call
    assert names(two) == ["step-00000010", "step-00000020"]
    assert [load(path).step for path in found(two)] == [20, 10]


@pytest.mark.parametrize("function", ["sync_directory", "_remove_leftovers"])
def test_a_disk_that_fails_elsewhere_leaves_the_earlier_checkpoints(
    function: str, two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(checkpoint_module, function, fail)
    with pytest.raises(CheckpointError, match="step-00000030 cannot be written"):
        save(two, state(30))
    assert names(two) == ["step-00000010", "step-00000020"]


def test_a_path_that_is_not_a_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").touch()
    with pytest.raises(CheckpointError, match="cannot be written"):
        save(tmp_path / "checkpoints", state())


def test_leftovers_of_a_killed_save_are_ignored_and_removed_by_the_next(two: Path) -> None:
    whole = two / "step-00000020"
    for leftover in (".step-00000030.4711.tmp", ".step-00000005.4711.tmp.old"):
        shutil.copytree(whole, two / leftover)
    assert [path.name for path in found(two)] == ["step-00000020", "step-00000010"]
    save(two, state(30))
    assert names(two) == ["step-00000010", "step-00000020", "step-00000030"]


def test_the_name_comes_after_every_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder that looks like a checkpoint is there while its files are being written."""
    sights = []

    def write(path: Path, content: bytes) -> None:
        sights.append(found(tmp_path))
        write_synced(path, content)

    monkeypatch.setattr(checkpoint_module, "write_synced", write)
    save(tmp_path, state())
    assert sights == [[]] * 4
    assert len(found(tmp_path)) == 1


# --- public tools


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="needs coreutils")
def test_sha256sum_checks_a_checkpoint(two: Path) -> None:
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    folder = two / "step-00000020"
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    truncate(folder / "model.safetensors")
    result = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    assert result.returncode == 1
    assert "model.safetensors: FAILED" in result.stdout


def test_no_file_holds_anything_but_numbers_and_text(two: Path) -> None:
    folder = two / "step-00000020"
    json.loads((folder / "state.json").read_text(encoding="ascii"))
    assert (folder / "SHA256SUMS").read_text(encoding="ascii").count("\n") == 3
    for name in FILES[:2]:
        content = (folder / name).read_bytes()
        # safetensors: the header's length, the header in JSON, the tensors' bytes, and no more
        (size,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + size])
        assert all(tensor["dtype"] == "F32" for tensor in header.values())
        values = sum(prod(tensor["shape"]) for tensor in header.values())
        assert len(content) == 8 + size + 4 * values
