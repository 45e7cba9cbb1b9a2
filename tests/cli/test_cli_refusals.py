"""What `cnn-mnist train` refuses: in one line, before it prints or creates anything."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from commands import invoke, refusal, result_of

NETS = """
import torch
from torch import nn

class Branches(nn.Sequential):
    def __init__(self, classes, *, dropout):
        super().__init__(nn.Flatten(), nn.Linear(784, classes))

    def forward(self, images):
        if images.sum() > 0:
            images = 2 * images
        return super().forward(images)

class Svd(nn.Linear):
    def __init__(self, classes, *, dropout):
        super().__init__(28, classes)

    def forward(self, images):
        return super().forward(torch.linalg.svdvals(images[:, 0]))

def ends_in_softmax(classes, *, dropout):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, classes), nn.Softmax(dim=1))

def gives_logits(classes, *, dropout):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, classes))
"""
TRAIN = ("train", "--data", "digits", "--steps", 3)


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    """A file of networks; no other test has a module of its name."""
    path = tmp_path / f"nets_{tmp_path.name.replace('-', '_')}.py"
    path.write_text(NETS)
    return path


@pytest.mark.parametrize(
    ("network", "cause"),
    [("Branches", ".py, line 10: if images.sum() > 0:)"), ("Svd", "linalg_svd")],
)
def test_a_network_that_onnx_cannot_express_is_refused_before_the_first_step(
    network: str, cause: str, nets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    command = (*TRAIN, "--network", f"{nets}:{network}", "--run-dir", tmp_path / "runs" / "r")
    done = invoke(*command)
    assert done.exit_code == 3
    (line,) = done.stderr.splitlines()
    assert f"the network {network} cannot be exported as ONNX" in line
    assert cause in line
    assert not (tmp_path / "runs").exists()
    assert list((tmp_path / "temporary").glob("cnn-mnist*")) == []  # torch has a cache of its own


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (("--optimizer", "muon"), "no matrix but that of its logits: use adam"),
        (("--log-tensors", "loss,conv9.weight"), "no tensor is called 'conv9.weight': expected"),
        (("--from", "bundled"), "do not fit"),
        (("--hook", "json:nosuch"), "hook 'json:nosuch' cannot be imported"),
    ],
)
def test_a_refused_first_start_prints_one_line_and_leaves_no_directory(
    flags: tuple[str, str], complaint: str, tmp_path: Path
) -> None:
    done = invoke(*TRAIN, "--network", "softmax", *flags, "--run-dir", tmp_path / "runs" / "r")
    assert done.exit_code == 3
    (line,) = done.stderr.splitlines()
    assert complaint in line
    assert not (tmp_path / "runs").exists()


def test_wrong_usage_is_said_once_however_many_workers_see_it(tmp_path: Path) -> None:
    command = [*TRAIN, "--lr", -1, "--workers", 2, "--run-dir", tmp_path / "r"]
    done = subprocess.run(
        [sys.executable, "-m", "cnn_mnist", *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("recipe field learning_rate=-1.0: expected [0, inf)") == 1
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("verb", ["train", "trials"])
@pytest.mark.parametrize("below", ["", "below/it"])
def test_a_file_in_place_of_a_run_directory_is_named(verb: str, below: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    line = refusal(
        *(verb, *TRAIN[1:], "--network", "softmax", "--run-dir", tmp_path / "notes.txt" / below),
        *(("--processes", 1) if verb == "trials" else ()),
    )
    assert f"{tmp_path}/notes.txt is a file, and a directory is expected" in line
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_network_that_ends_in_a_softmax_is_warned_of_once(nets: Path, tmp_path: Path) -> None:
    for network, times in (("ends_in_softmax", 1), ("gives_logits", 0)):
        done = invoke(*TRAIN, "--network", f"{nets}:{network}", "--run-dir", tmp_path / network)
        assert done.exit_code == 0, done.stderr
        warning = f"{nets.stem}:{network} gives probabilities, which sum to 1, and logits are"
        assert done.stderr.count(warning) == times
        assert done.stderr.count("remove the softmax at its end") == times


def test_layers_and_run_are_shown_before_the_first_step(tmp_path: Path) -> None:
    command = (*TRAIN, "--network", "softmax", "--run-dir", tmp_path / "r")
    shown = invoke(*command).stderr
    line = f"standard on digits (1,375 images), seed 0, to step 3 in {tmp_path / 'r'}\n"
    assert shown.index("logits   Linear") < shown.index(line) < shown.index("step 3/3")
    assert result_of(*command)["global_step"] == 3  # nothing is left to do
