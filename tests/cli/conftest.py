"""A trained run, pictures of a user's own, and no MNIST, for the tests of several commands."""

from pathlib import Path
from typing import Any

import pytest
from commands import result_of
from PIL import Image

from cnn_mnist.data import digits, load
from cnn_mnist.errors import DownloadError


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A run directory, and the JSON result of `train`."""
    run_dir = tmp_path_factory.mktemp("cli") / "run"
    result = result_of(
        *("train", "--data", "digits", "--network", "small"),
        *("--steps", 600, "--run-dir", run_dir, "--seed", 1),  # enough for 8-bit rounding
    )
    return run_dir, result


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """24 pictures of light ink on black in two folders, `cat` and `dog`."""
    images = digits.load().train.images
    for number in range(24):
        path = tmp_path / "pets" / ("cat", "dog")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[number]).resize((56, 56)).save(path)
    return tmp_path / "pets"


@pytest.fixture
def no_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    """MNIST is not available: the known images are scikit-learn's digits."""

    def fail(*_: object) -> None:
        raise DownloadError("no mirror here")

    monkeypatch.setattr(load, "fetch", fail)
