"""Whole commands: torchrun's agent and its workers, killed, restarted, and on two machines.

The two machines are two agents on the loopback interface.
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

from benchmarks.faults.lives import result
from cnn_mnist.run import Identity, Run, write_identity

from cnn_mnist.data.dataset import Dataset
from cnn_mnist.recipe import named

STEPS = 1_000
RECIPE = replace(named("tutorial"), network="softmax", checkpoint_every=50)
PATIENCE_S = 1_800.0
CLI = (sys.executable, "-m", "cnn_mnist", "train")


def restarts(folder: Path, dataset: Dataset, *, steps: int) -> dict[str, Any]:
    """Workers that die again and again, under `--max-restarts`."""
    alone = _prepared(folder, dataset, steps, "killed")
    return {"steps": steps, **_restarts(folder / "killed", steps, alone)}


def campaign(folder: Path, dataset: Dataset, *, steps: int = STEPS) -> dict[str, Any]:
    """Two agents, an agent that dies, signals; the weights are those of a run left alone."""
    alone = _prepared(folder, dataset, steps, "two", "elsewhere", "agent", "term", "int")
    return {
        "steps": steps,
        "SIGTERM": _signalled(folder / "term", steps, signal.SIGTERM, alone),
        "agent killed": _agent_killed(folder / "agent", steps, alone),
        "two agents": _two_agents(folder / "two", steps, alone),
        "SIGINT": _signalled(folder / "int", steps, signal.SIGINT, alone),
    }


def _prepared(folder: Path, dataset: Dataset, steps: int, *names: str) -> tuple[str, str]:
    """Begin runs whose own recipe the commands take; the result of one that is left alone."""
    identity = Identity.of(replace(RECIPE, steps=steps), dataset, 0)
    for name in ("alone", *names):
        write_identity(Run(folder / name), identity)
    return _run(folder / "alone", steps, "--workers", "2")


def _command(run_dir: Path, steps: int, *more: str) -> list[str]:
    return [*CLI, "--run-dir", str(run_dir), "--steps", str(steps), *more]


def _run(run_dir: Path, steps: int, *more: str) -> tuple[str, str]:
    command = _command(run_dir, steps, *more)
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)
    return result(run_dir, steps)


def _start(
    command: list[str], *, errors: int = subprocess.PIPE, **environment: str
) -> subprocess.Popen[str]:
    """Begin a command, with Python's own handlers of signals."""
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        text=True,
        env=os.environ | environment,
        restore_signals=True,
    )


def _restarts(run_dir: Path, steps: int, alone: tuple[str, str]) -> dict[str, Any]:
    """SIGKILL to one of two workers 5 to 15 s after they train (again), until the run has ended."""
    draw = random.Random(0)
    command = _command(run_dir, steps, "--workers", "2", "--max-restarts", "1000")
    began, kills, known = time.monotonic(), 0, None
    metrics = run_dir / "metrics.jsonl"
    # nobody reads what it says: a pipe would be full one day, and the agent wait for ever
    with _start(command, errors=subprocess.DEVNULL) as agent:
        while agent.poll() is None and time.monotonic() - began < PATIENCE_S:
            if _file(metrics) == known:  # each beginning makes it anew
                time.sleep(0.05)
                continue
            try:
                agent.wait(draw.uniform(5, 15))
            except subprocess.TimeoutExpired:
                if workers := _workers_of(agent.pid):
                    known = _file(metrics)
                    os.kill(draw.choice(workers), signal.SIGKILL)
                    kills += 1
        agent.kill()
    return {
        "workers_killed": kills,
        "exit_code": agent.returncode,
        "equal_weights": agent.returncode == 0 and result(run_dir, steps) == alone,
        "seconds": time.monotonic() - began,
    }


def _two_agents(run_dir: Path, steps: int, alone: tuple[str, str]) -> dict[str, Any]:
    """Two agents with a worker each, as on two machines; the second one has no run directory."""
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
    codes = [agent.wait(PATIENCE_S) for agent in agents]
    # which of the agents is given rank 0 is decided by torchrun
    places = [run_dir, run_dir.with_name("elsewhere")]
    written = [place for place in places if (place / "evaluation.json").exists()]
    return {
        "exit_codes": codes,
        "directories_written": len(written),
        "equal_weights": bool(written) and result(written[0], steps) == alone,
    }


def _agent_killed(run_dir: Path, steps: int, alone: tuple[str, str]) -> dict[str, Any]:
    """SIGKILL to the agent: its workers must stop by themselves, and the run go on again."""
    with _start(_command(run_dir, steps, "--workers", "2")) as agent:
        _await_steps(run_dir)
        workers = _workers_of(agent.pid)
        agent.kill()
    began = time.monotonic()
    while any(_alive(pid) for pid in workers) and time.monotonic() - began < 60:
        time.sleep(0.05)
    left = sum(_alive(pid) for pid in workers)
    again = _run(run_dir, steps, "--workers", "2")
    return {
        "workers": len(workers),
        "left_alive": left,
        "equal_weights": again == alone,
    }


def _signalled(
    run_dir: Path, steps: int, number: signal.Signals, alone: tuple[str, str]
) -> dict[str, Any]:
    """A signal to the agent, as from Ctrl-C or a scheduler."""
    with _start(_command(run_dir, steps, "--workers", "2")) as agent:
        _await_steps(run_dir)
        workers = _workers_of(agent.pid)
        agent.send_signal(number)
        _, errors = agent.communicate(timeout=60)
    again = _run(run_dir, steps, "--workers", "2")
    said = [line for line in errors.splitlines() if line.startswith("error: ")]
    return {
        "exit_code": agent.returncode,
        "said": [line.replace(f"{run_dir.parent}/", "") for line in said],
        "left_alive": sum(_alive(pid) for pid in workers),
        "equal_weights": again == alone,
    }


def _await_steps(run_dir: Path) -> None:
    """Wait until the run has logged something."""
    until = time.monotonic() + PATIENCE_S
    metrics = run_dir / "metrics.jsonl"
    while not (metrics.exists() and metrics.stat().st_size):
        if time.monotonic() > until:
            raise TimeoutError(f"{run_dir} does not train")
        time.sleep(0.05)


def _file(path: Path) -> int | None:
    """Which file has this name."""
    return path.stat().st_ino if path.exists() else None


def _workers_of(agent: int) -> list[int]:
    """The processes that an agent has started."""
    children = Path(f"/proc/{agent}/task/{agent}/children").read_text(encoding="ascii")
    found = []
    for pid in map(int, children.split()):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"cnn_mnist" in command:
            found.append(pid)
    return found


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
