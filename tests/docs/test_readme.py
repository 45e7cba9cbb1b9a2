"""The commands and the code of the README run."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from cnn_mnist.data import digits

ROOT = Path(__file__).parents[2]
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text("utf-8"), re.M | re.S)


def test_both_readmes_have_the_same_commands_and_code() -> None:
    english, chinese = (
        [re.sub(r" +#.*", "", block) for block in blocks(path, "bash") + blocks(path, "python")]
        for path in READMES
    )
    assert english == chinese


def test_both_readmes_begin_with_the_two_commands() -> None:
    for readme in READMES:
        first = blocks(readme, "bash")[0]
        assert [line.split()[0] for line in first.splitlines()] == [
            "./scripts/train",
            "./scripts/test",
        ]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run the README in, with a photo, on the digits and on few steps."""
    monkeypatch.chdir(tmp_path)
    image = digits.load().test.images[0]
    Image.fromarray(255 - image.repeat(4, axis=0).repeat(4, axis=1)).save("my-digit.png")
    return tmp_path


def short(command: str) -> list[str]:
    """Return a README command with short settings: scikit-learn's digits, few steps."""
    args = shlex.split(command)
    if args[1] in ("train", "trials"):
        args = [arg if not arg.isdigit() or int(arg) < 1000 else "30" for arg in args]
        args += ["--data", "digits"] + ([] if "30" in args else ["--steps", "30"])
    return [sys.executable, "-m", "cnn_mnist", *args[1:]]


def test_the_commands_run_in_the_order_in_which_they_stand(elsewhere: Path) -> None:
    commands = [
        re.sub(r"  +#.*", "", line)
        for block in blocks(READMES[0], "bash")
        for line in block.splitlines()
        if line.startswith("cnn-mnist ")
    ]
    assert len(commands) >= 7
    # ./scripts/train, on the digits
    train = [sys.executable, "-m", "cnn_mnist", "train", "--steps", "30", "--data", "digits"]
    subprocess.run(train, check=True, capture_output=True)
    shutil.move("runs/standard-digits-seed0", "runs/standard-mnist-seed0")
    for command in commands:
        done = subprocess.run(short(command), capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stderr)


def test_the_python_runs_in_the_order_in_which_it_stands(elsewhere: Path) -> None:
    code = "\n".join(blocks(READMES[0], "python"))
    code = code.replace("steps=200", "steps=20").replace('"auto"', '"digits"')
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "validation_accuracy" in done.stdout


def test_the_scripts_are_there_and_can_be_run() -> None:
    for name in ("setup", "train", "test", "test-browser", "test-tensorflow", "check", "docs"):
        assert os.access(ROOT / "scripts" / name, os.X_OK)
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
