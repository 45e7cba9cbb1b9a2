"""Test the commands as a hardened container runs them: any uid, no HOME, nothing to write to."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from serving import drawn, serving

_CONTAINER = """\
#!/bin/sh
# Run Python as the user 12345, who has no home directory, on a file system that is read-only.
exec unshare --mount --propagation private sh -c '
    cut -d" " -f5 /proc/self/mountinfo | grep -Ev "^/(proc|sys|dev)" | while read -r place; do
        mount -o remount,bind,ro "$place"
    done 2>/dev/null
    exec env -u HOME -u XDG_CACHE_HOME setpriv --reuid 12345 --regid 12345 --clear-groups \\
        --bounding-set -all,+dac_read_search --inh-caps -all,+dac_read_search \\
        --ambient-caps +dac_read_search "$@"
' sh {python} "$@"
"""
"""`dac_read_search` lets the user read the installation, wherever it is."""


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """A Python that runs as in a container."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can start a process as another user")
    if not shutil.which("setpriv") or not shutil.which("unshare"):
        pytest.skip("needs unshare and setpriv of util-linux")
    python = tmp_path / "python"
    python.write_text(_CONTAINER.format(python=sys.executable))
    python.chmod(0o755)
    try_out = "import os, pathlib; print(os.getuid()); pathlib.Path.home()"
    result = subprocess.run([python, "-c", try_out], capture_output=True, text=True, check=False)
    if result.stdout != "12345\n":
        pytest.skip(f"this machine lets nobody mount: {result.stderr}")
    assert "home directory" in result.stderr
    write = [python, "-c", f"open({str(tmp_path / 'a')!r}, 'w')"]
    result = subprocess.run(write, capture_output=True, text=True, check=False)
    assert "Read-only file system" in result.stderr
    return python


def test_predict_works_in_a_hardened_container(container: Path) -> None:
    command = [container, "-m", "cnn_mnist", "predict", "--json", "-"]
    result = subprocess.run(command, input=drawn("7"), capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (0, b"")
    assert json.loads(result.stdout.splitlines()[-1])["images"][0]["text"] == "7"


def test_a_server_of_two_workers_works_in_a_hardened_container(
    container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(container))
    with serving("--workers", 2) as server:
        status, _, answer = server.ask("POST", "/predict", drawn("4"), Content_Type="image/png")
        assert (status, json.loads(answer)["text"]) == (200, "4")
        assert server.ask("GET", "/metrics")[0] == 200
        assert server.end() == 0


def test_a_data_set_is_found_where_it_is_named_in_a_hardened_container(
    container: Path, mnist_dir: Path
) -> None:
    command = [container, "-m", "cnn_mnist", "data", "verify", "mnist", "--data-dir", mnist_dir]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "intact" in result.stdout
