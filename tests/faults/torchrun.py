"""Kill and stop whole commands: torchrun's agent and its workers, also on two machines.

`--workers` starts torchrun's agent, which starts the workers. Two machines are simulated by two
agents on the loopback interface.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnn_mnist.data.dataset import Dataset
from cnn_mnist.recipe import named
from cnn_mnist.runs.identity import Identity, write_identity
from cnn_mnist.runs.run import Run

from .forked_training import final_hashes

STEPS = 1_000
RECIPE = replace(named("tutorial"), network="softmax", checkpoint_every=50)
TIMEOUT_S = 1_800.0
CLI = (sys.executable, "-m", "cnn_mnist", "train")


def restarts(folder: Path, dataset: Dataset, *, steps: int) -> dict[str, Any]:
    """Kill workers again and again, under `--max-restarts`."""
    expected = _prepare(folder, dataset, steps, "killed")
    return {"steps": steps, **_kill_workers(folder / "killed", steps, expected)}


def campaign(folder: Path, dataset: Dataset, *, steps: int = STEPS) -> dict[str, Any]:
    """Send signals, kill an agent, train with two agents; compare with an undisturbed run."""
    expected = _prepare(folder, dataset, steps, "two", "elsewhere", "agent", "term", "int")
    return {
        "steps": steps,
        "SIGTERM": _send_signal(folder / "term", steps, signal.SIGTERM, expected),
        "agent killed": _kill_agent(folder / "agent", steps, expected),
        "two agents": _train_with_two_agents(folder / "two", steps, expected),
        "SIGINT": _send_signal(folder / "int", steps, signal.SIGINT, expected),
    }


def _prepare(folder: Path, dataset: Dataset, steps: int, *names: str) -> tuple[str, str]:
    """Write the recipes that the commands take; return the hashes of an undisturbed run."""
    identity = Identity.of(replace(RECIPE, steps=steps), dataset, 0)
    for name in ("alone", *names):
        write_identity(Run(folder / name), identity)
    return _run(folder / "alone", steps, "--workers", "2")


def _command(run_dir: Path, steps: int, *more: str) -> list[str]:
    return [*CLI, "--run-dir", str(run_dir), "--steps", str(steps), *more]


def _run(run_dir: Path, steps: int, *more: str) -> tuple[str, str]:
    command = _command(run_dir, steps, *more)
    subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)
    return final_hashes(run_dir, steps)


def _start(
    command: list[str], *, errors: int = subprocess.PIPE, **environment: str
) -> subprocess.Popen[str]:
    """Start a command with Python's default signal handlers."""
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        text=True,
        env=os.environ | environment,
        restore_signals=True,
    )


def _kill_workers(run_dir: Path, steps: int, expected: tuple[str, str]) -> dict[str, Any]:
    """Kill one of two workers 5 to 15 s after each start of training, until the run has ended."""
    draw = random.Random(0)
    command = _command(run_dir, steps, "--workers", "2", "--max-restarts", "1000")
    began, kills, known = time.monotonic(), 0, None
    metrics = run_dir / "metrics.jsonl"
    # a pipe that nobody reads would fill up and block the agent
    with _start(command, errors=subprocess.DEVNULL) as agent:
        while agent.poll() is None and time.monotonic() - began < TIMEOUT_S:
            if _inode(metrics) == known:  # each start of training makes a new file
                time.sleep(0.05)
                continue
            try:
                agent.wait(draw.uniform(5, 15))
            except subprocess.TimeoutExpired:
                if workers := _workers_of(agent.pid):
                    known = _inode(metrics)
                    os.kill(draw.choice(workers), signal.SIGKILL)
                    kills += 1
        agent.kill()
    return {
        "workers_killed": kills,
        "exit_code": agent.returncode,
        "equal_weights": agent.returncode == 0 and final_hashes(run_dir, steps) == expected,
        "seconds": time.monotonic() - began,
    }


def _train_with_two_agents(run_dir: Path, steps: int, expected: tuple[str, str]) -> dict[str, Any]:
    """Train with two agents of one worker each; the second one has no run directory."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2"]
    torchrun += ["--nproc-per-node", "1", "--rdzv-backend", "c10d", "--rdzv-id", "faults"]
    torchrun += ["--rdzv-endpoint", f"localhost:{port}", "--local-addr", "localhost"]
    agents = []
    for number in (0, 1):
        place = run_dir if number == 0 else run_dir.with_name("elsewhere")
        command = [*torchrun, "-m", *_command(place, steps)[2:]]
        agents.append(_start(command, OMP_NUM_THREADS="1"))
    codes = [agent.wait(TIMEOUT_S) for agent in agents]
    # torchrun decides which of the agents gets rank 0
    places = [run_dir, run_dir.with_name("elsewhere")]
    written = [place for place in places if (place / "evaluation.json").exists()]
    return {
        "exit_codes": codes,
        "directories_written": len(written),
        "equal_weights": bool(written) and final_hashes(written[0], steps) == expected,
    }


def _kill_agent(run_dir: Path, steps: int, expected: tuple[str, str]) -> dict[str, Any]:
    """Kill the agent: its workers must stop by themselves, and the run must continue."""
    with _start(_command(run_dir, steps, "--workers", "2")) as agent:
        _wait_for_steps(run_dir)
        workers = _workers_of(agent.pid)
        agent.kill()
    began = time.monotonic()
    while any(_is_alive(pid) for pid in workers) and time.monotonic() - began < 60:
        time.sleep(0.05)
    left = sum(_is_alive(pid) for pid in workers)
    again = _run(run_dir, steps, "--workers", "2")
    return {
        "workers": len(workers),
        "left_alive": left,
        "equal_weights": again == expected,
    }


def _send_signal(
    run_dir: Path, steps: int, number: signal.Signals, expected: tuple[str, str]
) -> dict[str, Any]:
    """Send a signal to the agent, as Ctrl-C or a scheduler does."""
    with _start(_command(run_dir, steps, "--workers", "2")) as agent:
        _wait_for_steps(run_dir)
        workers = _workers_of(agent.pid)
        agent.send_signal(number)
        _, errors = agent.communicate(timeout=60)
    again = _run(run_dir, steps, "--workers", "2")
    messages = [line for line in errors.splitlines() if line.startswith("error: ")]
    return {
        "exit_code": agent.returncode,
        "said": [line.replace(f"{run_dir.parent}/", "") for line in messages],
        "left_alive": sum(_is_alive(pid) for pid in workers),
        "equal_weights": again == expected,
    }


def _wait_for_steps(run_dir: Path) -> None:
    """Wait until the run has logged something."""
    until = time.monotonic() + TIMEOUT_S
    metrics = run_dir / "metrics.jsonl"
    while not (metrics.exists() and metrics.stat().st_size):
        if time.monotonic() > until:
            raise TimeoutError(f"{run_dir}: no metrics after {TIMEOUT_S:.0f} s of training")
        time.sleep(0.05)


def _inode(path: Path) -> int | None:
    """Return the number of the file that has this name."""
    return path.stat().st_ino if path.exists() else None


def _workers_of(agent: int) -> list[int]:
    """Return the worker processes that an agent has started."""
    children = Path(f"/proc/{agent}/task/{agent}/children").read_text(encoding="ascii")
    found = []
    for pid in map(int, children.split()):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"cnn_mnist" in command:
            found.append(pid)
    return found


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
