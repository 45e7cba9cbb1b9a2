"""Test `cnn-mnist train`: results, continuing, and one line for each mistake."""

import errno
import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import invoke, refusal, result_of

from cnn_mnist.runs import checkpoint


def test_train_ends_with_an_evaluated_and_exported_model(trained_run: tuple[Path, Any]) -> None:
    run_dir, result = trained_run
    assert result["accuracy"] > 0.8
    assert result["global_step"] == 600
    assert result["dataset"] == "digits"
    assert result["train_seconds"] > 0
    assert result["loss"] > 0
    assert result["run_dir"] == str(run_dir)
    assert (run_dir / "model.onnx").is_file()
    evaluation = json.loads((run_dir / "evaluation.json").read_text())
    assert evaluation["accuracy"] == result["accuracy"]
    recipe = json.loads((run_dir / "recipe.json").read_text())
    assert recipe["seed"] == 1
    assert recipe["dataset"] == "digits"
    assert recipe["versions"]["torch"]
    assert recipe["machine"]["cores"] >= 1


def test_training_again_continues_with_the_runs_own_recipe_and_seed(
    trained_run: tuple[Path, Any], tmp_path: Path
) -> None:
    first = result_of(
        *("train", "--data", "digits", "--network", "softmax", "--recipe", "tutorial"),
        *("--steps", 20, "--run-dir", tmp_path / "r", "--seed", 3),
    )
    second = result_of("train", "--run-dir", tmp_path / "r", "--steps", 40)
    assert (first["global_step"], second["global_step"]) == (20, 40)
    recipe = json.loads((tmp_path / "r" / "recipe.json").read_text())
    assert (recipe["seed"], recipe["recipe"]["network"]) == (3, "softmax")


def test_the_precision_flag_is_stored_in_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = result_of(
        *("train", "--data", "digits", "--network", "softmax", "--steps", 5),
        *("--precision", "bfloat16"),
    )
    run_dir = Path(result["run_dir"])
    assert run_dir.name == "standard-softmax-bfloat16-digits-seed0"
    recipe = json.loads((run_dir / "recipe.json").read_text("utf-8"))["recipe"]
    assert recipe["precision"] == "bfloat16"


def test_another_recipe_in_the_same_run_directory_is_refused_by_naming_the_fields(
    trained_run: tuple[Path, Any],
) -> None:
    line = refusal("train", "--recipe", "tutorial", "--data", "digits", "--run-dir", trained_run[0])
    assert "learning_rate: 0.002 -> 0.001" in line
    assert "network: 'small' -> 'cnn'" in line


def test_a_folder_of_ones_own_data_can_be_trained_on_and_evaluated(
    idx_folder: Path, tmp_path: Path
) -> None:
    result = result_of(
        *("train", "--data", idx_folder, "--network", "softmax", "--steps", 5),
        *("--run-dir", tmp_path / "own"),
    )
    assert result["dataset"] == idx_folder.name
    assert result_of("evaluate", tmp_path / "own")["global_step"] == 5
    assert result_of("evaluate", tmp_path / "own", "--data", idx_folder)["global_step"] == 5


def test_tensors_are_logged_every_n_steps(tmp_path: Path) -> None:
    result = invoke(
        *("train", "--data", "digits", "--network", "softmax", "--steps", 20),
        *("--run-dir", tmp_path / "r", "--log-tensors", "probabilities", "--log-every", 10),
    )
    assert "step 10: probabilities = [[" in result.stderr
    assert "step 20: probabilities = [[" in result.stderr
    assert result.stderr.count("probabilities = ") == 2


@pytest.mark.parametrize("damage", ["truncated", "oversized", "missing", "swapped", "garbage"])
def test_a_damaged_data_file_is_named_and_the_run_stays_whole(
    damage: str, idx_folder: Path, tmp_path: Path
) -> None:
    run = ("train", "--data", idx_folder, "--network", "softmax", "--run-dir", tmp_path / "r")
    result_of(*run, "--steps", 5)
    images = idx_folder / "train-images-idx3-ubyte.gz"
    labels = idx_folder / "train-labels-idx1-ubyte.gz"
    content = images.read_bytes()
    match damage:
        case "truncated":
            images.write_bytes(content[:-100])
        case "oversized":
            images.write_bytes(gzip.compress(gzip.decompress(content) + b"0"))
        case "missing":
            images.unlink()
        case "swapped":
            labels.rename(images)
        case "garbage":
            images.write_bytes(b"garbage" * 100)
    assert str(images).removesuffix(".gz") in refusal(*run, "--steps", 10)
    evaluation = json.loads((tmp_path / "r" / "evaluation.json").read_text())
    assert evaluation["global_step"] == 5
    assert len(list((tmp_path / "r" / "checkpoints").iterdir())) == 1


def test_a_full_disk_is_one_line_and_earlier_checkpoints_stay_whole(
    trained_run: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = (
        *("train", "--data", "digits", "--network", "softmax", "--recipe", "tutorial"),
        *("--run-dir", tmp_path / "r"),
    )
    result_of(*run, "--steps", 10)

    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_synced", full)
        assert "No space left on device" in refusal(*run, "--steps", 20)
    assert result_of("evaluate", tmp_path / "r")["global_step"] == 10
    assert result_of(*run, "--steps", 20)["global_step"] == 20


@pytest.fixture
def forbidden(tmp_path: Path) -> Iterator[Path]:
    """A directory that this process may read but not write."""
    place = tmp_path / "forbidden"
    place.mkdir(mode=0o555)
    if os.geteuid() != 0:
        yield place
        return
    invoke("train", "--help")  # import everything while root may still read it
    result_of(
        "train",
        "--data",
        "digits",
        "--network",
        "softmax",
        "--steps",
        1,
        "--run-dir",
        tmp_path / "warm",
    )
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    os.seteuid(65534)
    yield place
    os.seteuid(0)


def test_a_directory_without_permission_is_one_line(forbidden: Path) -> None:
    line = refusal(
        *("train", "--data", "digits", "--network", "softmax", "--steps", 1),
        *("--run-dir", forbidden / "run"),
    )
    assert "Permission denied" in line
    assert str(forbidden / "run") in line


def test_ctrl_c_writes_a_checkpoint_and_exits_130(tmp_path: Path) -> None:
    run_dir = tmp_path / "r"
    command = [sys.executable, "-m", "cnn_mnist", "train", "--data", "digits"]
    command += ["--network", "softmax", "--recipe", "tutorial", "--run-dir", str(run_dir)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("step "):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert "train again to go on" in rest
    step = max(int(path.name[5:]) for path in (run_dir / "checkpoints").iterdir())
    assert 0 < step < 20_000


@pytest.fixture
def restless(tmp_path: Path) -> tuple[object, ...]:
    """A command whose validation loss soon rises: the learning rate is far too high."""
    toml = tmp_path / "restless.toml"
    toml.write_text(
        'network = "softmax"\nschedule = "constant"\nlearning_rate = 0.1\n'
        "steps = 400\nlog_every = 20\ncheckpoint_every = 20\n"
    )
    return ("train", "--data", "digits", "--recipe", toml)


def test_patience_and_keep_best_end_with_the_best_checkpoint_scored_and_exported(
    restless: tuple[object, ...], tmp_path: Path
) -> None:
    run_dir = tmp_path / "r"
    command = (*restless, "--run-dir", run_dir, "--patience", 2, "--keep-best")
    shown = invoke(*command)
    assert shown.exit_code == 0, shown.stderr
    assert "stopped before step 400: no lower validation loss in 2 validation pass" in shown.stderr
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    losses = {ln["step"]: ln["validation_loss"] for ln in lines if "validation_loss" in ln}
    best = min(losses, key=lambda step: losses[step])
    assert max(losses) == best + 40 < 400

    result = result_of(*command)  # the same command again
    assert result["global_step"] == best
    assert result["stopped"].startswith("no lower validation loss in 2 validation passes")
    lines_now = (run_dir / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines_now] == lines
    assert result_of("evaluate", run_dir)["global_step"] == best
    exported = result_of("export", run_dir, "--format", "onnx", "--output", tmp_path / "m.onnx")
    assert exported["argmax_equal"] is True
    for model in (run_dir / "model.onnx", tmp_path / "m.onnx"):
        assert result_of("evaluate", model, "--data", "digits")["global_step"] == best


def test_a_finished_run_was_not_stopped(trained_run: tuple[Path, Any]) -> None:
    assert trained_run[1]["stopped"] is None


HOOK = """
from cnn_mnist import Hook

class StopAt30(Hook):
    def begin(self, start):
        self.request_stop = start.request_stop

    def after_step(self, step):
        if step.number == 30:
            self.request_stop(f"thirty is enough for {self.name}")

def factory(run):
    hook = StopAt30()
    hook.name = run.path.name
    return hook
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_hook_of_ones_own_stops_all_workers(
    workers: int, restless: tuple[object, ...], tmp_path: Path
) -> None:
    (tmp_path / "own_hook.py").write_text(HOOK)
    command = [*restless, "--hook", f"{tmp_path / 'own_hook.py'}:factory"]
    command += ["--run-dir", tmp_path / "r", "--workers", workers, "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "cnn_mnist", *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["stopped"], result["global_step"]) == ("thirty is enough for r", 30)


def test_a_hook_that_cannot_be_imported_is_one_line(
    restless: tuple[object, ...], tmp_path: Path
) -> None:
    line = refusal(*restless, "--run-dir", tmp_path / "r", "--hook", "nosuch_module:factory")
    assert "hook 'nosuch_module:factory' cannot be imported" in line
    assert not (tmp_path / "r").exists()


def test_training_in_a_folder_of_pictures_is_refused(
    restless: tuple[object, ...], tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"cat")
    line = refusal(*restless, "--run-dir", tmp_path / "photos")
    assert "is not a run directory: it has no recipe.json, but holds cat.jpg" in line
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["cat.jpg"]
