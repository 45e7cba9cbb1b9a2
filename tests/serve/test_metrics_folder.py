"""Test where the metrics are kept: the user's PROMETHEUS_MULTIPROC_DIR is his."""

import os
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from serving import serving

from cnn_mnist.cli import cli
from cnn_mnist.serve.metrics import WORKERS_DIR
from cnn_mnist.serve.server import _metrics_folder

COUNTED = 'cnn_mnist_requests_total{route="/v2",status="200"} 1.0'


@pytest.mark.parametrize("workers", [1, 2])
def test_the_user_s_folder_is_used_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    folder = tmp_path / "to" / "be" / "made"
    monkeypatch.setenv(WORKERS_DIR, str(folder))
    with serving("--workers", workers) as server:
        server.ask("GET", "/v2")
        # a request is counted once its answer has gone out
        assert any(COUNTED in server.ask("GET", "/metrics")[2].decode() for _ in range(1000))
    assert list(folder.glob("counter_*.db"))
    assert os.environ[WORKERS_DIR] == str(folder)


def test_without_one_the_folder_is_temporary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WORKERS_DIR, raising=False)
    with _metrics_folder():
        folder = Path(os.environ[WORKERS_DIR])
        assert folder.is_dir()
    assert not folder.exists()
    assert WORKERS_DIR not in os.environ


def test_an_empty_name_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKERS_DIR, "")
    monkeypatch.chdir(tmp_path)
    with serving() as server:
        assert server.ask("GET", "/metrics")[0] == 200
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_one_line_and_exit_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(WORKERS_DIR, str(tmp_path / "file" / "folder"))
    result = CliRunner().invoke(cli, ["serve"])
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert WORKERS_DIR in result.stderr


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="the system has no such folder")
def test_where_no_temporary_folder_can_be_made_shared_memory_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> str:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.delenv(WORKERS_DIR, raising=False)
    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    with _metrics_folder():
        assert os.environ[WORKERS_DIR].startswith("/dev/shm/")
