"""Several processes that train together, and the command that starts them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny import tiny_recipe, tiny_split

from cnn_mnist.errors import RunError
from cnn_mnist.files import sha256
from cnn_mnist.training.distributed import Group
from cnn_mnist.training.trainer import Trainer

TRAIN = [sys.executable, "-m", "cnn_mnist", "train", "--data", "digits", "--network", "softmax"]
TRAIN += ["--recipe", "tutorial"]


def test_the_shares_of_a_batch_are_all_of_it_and_differ_by_one_at_most() -> None:
    for size in (1, 2, 3, 7):
        for length in (7, 8, 100):
            shares = [Group(rank=rank, size=size).share(length) for rank in range(size)]
            places = [place for share in shares for place in range(length)[share]]
            assert places == list(range(length))
            counts = [share.stop - share.start for share in shares]
            assert max(counts) - min(counts) <= 1


def test_without_torchrun_a_process_is_a_group_of_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert Group.of_environment() == Group(rank=0, size=1)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("RANK", "5")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert Group.of_environment() == Group(rank=5, size=8, local_rank=1)


def test_a_batch_with_fewer_images_than_workers_is_refused() -> None:
    recipe = tiny_recipe(batch_size=3)
    with pytest.raises(RunError, match="4 workers cannot share batches of 3"):
        Trainer(recipe, tiny_split(20), 10, seed=0, device="cpu", group=Group(size=4))


SILENT = """
import sys, time
from datetime import timedelta
import torch
from cnn_mnist.training import distributed as parallel
from cnn_mnist.errors import WorkerLostError

parallel._TIMEOUT = timedelta(seconds=3)
parallel._CONNECT_TIMEOUT = timedelta(seconds=2)
group = parallel.Group(rank=int(sys.argv[1]), size=2)
try:
    with parallel.process_group(torch.device("cpu"), group):
        if not group.is_main:
            time.sleep(60)
        group.all_reduce_max(1)
except WorkerLostError as error:
    print(error)
"""


def group_of_two(program: str, *, ranks: tuple[int, ...] = (0, 1)) -> list[tuple[str, str]]:
    """What the processes of a group print, the first of them to its end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "GLOO_SOCKET_IFNAME": "lo",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(rank)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment | {"RANK": str(rank)},
        )
        for rank in ranks
    ]
    said = [processes[0].communicate(timeout=600)]
    for process in processes[1:]:
        try:
            said.append(process.communicate(timeout=60))
        except subprocess.TimeoutExpired:
            process.kill()
            said.append(process.communicate())
    return said


@pytest.mark.parametrize("ranks", [(0, 1), (0,)], ids=["silent", "absent"])
def test_waiting_for_a_silent_worker_ends(ranks: tuple[int, ...]) -> None:
    (said, _), *_ = group_of_two(SILENT, ranks=ranks)
    assert said.startswith("another worker has ended or cannot be reached")


MISSED = """
import sys
import torch
import torch.distributed as dist
from cnn_mnist.training import distributed as parallel

init, group = dist.init_process_group, parallel.Group(rank=int(sys.argv[1]), size=2)

def missing(*arguments, store, **options):
    if not missed:
        missed.append(store)
        raise RuntimeError("gloo: Connect timeout")
    init(*arguments, store=store, **options)

missed = []
dist.init_process_group = missing
with parallel.process_group(torch.device("cpu"), group):
    print(group.all_reduce_max(group.rank + 4))
"""


def test_workers_that_fail_to_connect_try_again() -> None:
    assert [said for said, _ in group_of_two(MISSED)] == ["5\n", "5\n"]


def weights(run_dir: Path, step: int) -> str:
    return sha256(run_dir / "checkpoints" / f"step-{step:08d}" / "model.safetensors")


def test_workers_stopped_by_sigterm_leave_a_checkpoint_and_go_on_to_the_same_weights(
    tmp_path: Path,
) -> None:
    def command(name: str) -> list[str]:
        return [*TRAIN, "--steps", "400", "--workers", "2", "--run-dir", str(tmp_path / name)]

    with subprocess.Popen(command("stopped"), stderr=subprocess.PIPE, text=True) as agent:
        metrics = tmp_path / "stopped" / "metrics.jsonl"
        while not (metrics.exists() and metrics.stat().st_size):
            assert agent.poll() is None
            time.sleep(0.02)
        agent.send_signal(signal.SIGTERM)
        _, said = agent.communicate()
    assert agent.returncode == 128 + signal.SIGTERM
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "stopped by SIGTERM at step" in errors[0]
    assert "Traceback" not in said

    for name in ("stopped", "alone"):
        done = subprocess.run(
            [*command(name), "--json"], capture_output=True, text=True, check=True
        )
        assert json.loads(done.stdout)["global_step"] == 400
        assert done.stderr.count("to step 400") == 1
    assert weights(tmp_path / "stopped", 400) == weights(tmp_path / "alone", 400)


def test_an_error_of_all_workers_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text("{}")
    done = subprocess.run(
        [*TRAIN, "--workers", "2", "--run-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert done.returncode == 3
    assert done.stderr.count("error: ") == 1
    assert "recipe.json is damaged" in done.stderr
    assert "Traceback" not in done.stderr
