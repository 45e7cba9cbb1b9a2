"""The description of machine and versions."""

import json
import platform
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch

import cnn_mnist
from cnn_mnist import machine
from cnn_mnist.inference import session
from cnn_mnist.inference.model import BUNDLED
from cnn_mnist.machine import versions


def test_versions_are_those_of_the_installed_libraries() -> None:
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["cnn-mnist"] == cnn_mnist.__version__
    assert found["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
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


def test_a_processor_whose_description_cannot_be_read_has_another_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refuse)
    assert machine.machine()["processor"] == (platform.processor() or platform.machine())


def test_cores_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_quotas", lambda root: [])
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    assert machine.machine()["cores"] == 3
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert machine.machine()["cores"] == 1


V1 = "3:cpuset:/\n4:cpu,cpuacct:{}\n1:name=systemd:/init\n0::/\n"
V2 = "0::{}\n"


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        (V2.format("/"), {"cpu.max": "25000 100000"}, 1),
        (V2.format("/"), {"cpu.max": "150000 100000\n"}, 2),
        (V2.format("/"), {"cpu.max": "400000 100000"}, 4),
        (V2.format("/"), {"cpu.max": "max 100000"}, 8),
        (V2.format("/"), {"cpu.max": "6400000 100000"}, 8),
        (V2.format("/"), {"cpu.max": ""}, 8),
        (V2.format("/"), {"cpu.max": "nonsense"}, 8),
        (V2.format("/a.slice/b"), {"a.slice/b/cpu.max": "200000 100000"}, 2),
        (V2.format("/a/b"), {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3),
        (V2.format("/a/b"), {"a/cpu.max": "100000 50000", "a/b/cpu.max": "500000 100000"}, 2),
        (V2.format("/docker/of-the-host"), {"cpu.max": "50000 100000"}, 1),
        (V2.format("/../other"), {"cpu.max": "max 100000"}, 8),
        (V1.format("/"), {"cpu/cpu.cfs_quota_us": "25000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        (V1.format("/"), {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        (
            V1.format("/docker/id"),
            {
                "cpu,cpuacct/docker/id/cpu.cfs_quota_us": "250000\n",
                "cpu,cpuacct/docker/id/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
        (
            V1.format("/docker/of-the-host"),
            {"cpu/cpu.cfs_quota_us": "210000", "cpu/cpu.cfs_period_us": "100000"},
            3,
        ),
        (V1.format("/"), {}, 8),
        ("", {}, 8),
    ],
)
def test_a_container_s_cpu_quota_limits_the_cores_and_a_part_of_one_counts_as_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    groups: str,
    files: dict[str, str],
    expected: int,
) -> None:
    for name, content in files.items():
        file = tmp_path / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(groups)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(machine, "Path", lambda root: tmp_path)
    assert machine.cores() == expected


def test_a_model_has_no_more_threads_than_the_quota_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "cores", lambda: 1)
    opened = session.open_session(str(BUNDLED), threads=0)
    assert opened.get_session_options().intra_op_num_threads == 1
