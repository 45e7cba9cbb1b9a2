"""The description of machine and versions."""

import json
import platform
from importlib.metadata import PackageNotFoundError

import pytest
import torch

import cnn_mnist
from cnn_mnist import machine
from cnn_mnist.machine import versions


def test_versions_are_those_of_the_installed_libraries() -> None:
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["cnn-mnist"] == cnn_mnist.__version__
    assert found["torch"] == torch.__version__
    assert {"numpy", "onnxruntime", "safetensors"} <= found.keys()


def test_a_library_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(library: str) -> str:
        if library == "torch":
            raise PackageNotFoundError(library)
        return "1"

    monkeypatch.setattr("importlib.metadata.version", version)
    found = versions()
    assert "torch" not in found
    assert found["numpy"] == "1"


def test_a_machine_is_described_by_processor_cores_and_system() -> None:
    found = machine.machine()
    assert json.loads(json.dumps(found)) == found
    assert found["architecture"] == platform.machine()
    assert found["system"] == platform.system()
    assert int(found["cores"]) >= 1
    assert found["processor"]


def test_cores_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    assert machine.machine()["cores"] == 3
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert machine.machine()["cores"] == 1
