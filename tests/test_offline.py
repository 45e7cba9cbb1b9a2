"""Test that no program asks a host that the user did not name, and that none reports to others."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from serving import drawn, serving

import cnn_mnist
from cnn_mnist.inference.model import BUNDLED

SOURCE = Path(cnn_mnist.__file__).parent
TELEMETRY = "ORT_DISABLE_TELEMETRY"

TRAP = """
import os, sys

def trap(event, args):
    if event in ("socket.connect", "socket.sendto"):
        host = args[1] if isinstance(args[1], (str, bytes)) else args[1][0]
        local = args[0].family.name == "AF_UNIX"
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host, local = args[0], False
    else:
        return
    if not local and host not in (None, "", "127.0.0.1", "::1", "localhost"):
        with open(os.environ["CALLS"], "a") as calls:
            calls.write(f"{event} {host}\\n")
        raise OSError("the network is trapped")

sys.addaudithook(trap)
"""
"""A `sitecustomize` that writes down and refuses every look-up and connection of its process."""

RUN = """
import sys
from click.testing import CliRunner
from cnn_mnist.cli import cli

for line in sys.stdin:
    result = CliRunner().invoke(cli, line.split())
    assert result.exit_code == 0, (line, result.output, result.exception)
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Trap the network of child processes; return the file of their calls. Their home is empty."""
    (tmp_path / "trap").mkdir()
    (tmp_path / "trap" / "sitecustomize.py").write_text(TRAP)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "trap"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv(TELEMETRY, raising=False)
    return tmp_path / "calls"


def at_home(calls: Path) -> list[str]:
    return [str(path) for path in (calls.parent / "home").rglob("*")]


def test_the_trap_traps(calls: Path) -> None:
    code = "import urllib.request\nurllib.request.urlopen('http://example.org')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "the network is trapped" in run.stderr
    assert calls.read_text() == "socket.getaddrinfo example.org\n"


def test_train_evaluate_predict_report_and_export_ask_nobody(calls: Path) -> None:
    (calls.parent / "1.png").write_bytes(drawn("1"))
    verbs = """
        train --data digits --steps 2 --run-dir R --device cpu
        evaluate R
        predict --model R 1.png
        predict --json 1.png
        report R
        export R --output out.onnx
        model R
        data list
    """
    subprocess.run(
        [sys.executable, "-c", RUN], input=verbs.strip(), text=True, cwd=calls.parent, check=True
    )
    assert not calls.exists(), calls.read_text()
    assert not [path for path in at_home(calls) if "icrosoft" in path]


@pytest.mark.parametrize("workers", [1, 2])
def test_serve_asks_nobody_and_leaves_nothing_at_home(calls: Path, workers: int) -> None:
    with serving("--workers", workers) as server:
        assert server.ask("POST", "/predict", drawn("1"))[0] == 200
        for path in ("/", "/docs", "/openapi.json", "/metrics"):
            assert server.ask("GET", path)[0] == 200
    assert not calls.exists(), calls.read_text()
    assert at_home(calls) == []


LIBRARY = re.compile(r"^\s*(?:import|from) onnxruntime\b", re.MULTILINE)
IMPORTING = [path for path in SOURCE.rglob("*.py") if LIBRARY.search(path.read_text("utf-8"))]


@pytest.mark.parametrize("file", IMPORTING, ids=lambda path: path.stem)
def test_telemetry_is_off_before_onnx_runtime_is_imported(calls: Path, file: Path) -> None:
    module = ".".join(("cnn_mnist", *file.relative_to(SOURCE).with_suffix("").parts))
    code = f"""
import os, sys
class Watch:
    def find_spec(name, path, target=None):
        if name == "onnxruntime":
            print(os.environ.get("{TELEMETRY}"))
sys.meta_path.insert(0, Watch)
import {module}
"""
    for given in ({}, {TELEMETRY: "0"}):
        run = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | given, capture_output=True, check=True
        )
        assert run.stdout.split() == [b"1"]


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_onnx_runtime_itself_asks_nobody_and_stores_no_device_id(calls: Path) -> None:
    code = f"""
import time
from pathlib import Path
from cnn_mnist.inference.model import Model
Model(Path({str(BUNDLED)!r}))
time.sleep(0.1)
"""
    trace = calls.parent / "trace"
    traced = ["strace", "-f", "-e", "trace=network", "-s", "200", "-o", trace]
    subprocess.run([*traced, sys.executable, "-c", code], check=True)
    assert not re.search(r"AF_INET|microsoft", trace.read_text(errors="replace"))
    assert at_home(calls) == []
