"""The code of docs/from-estimator.md for a network and a loop of the reader's own runs."""

import sys
from pathlib import Path
from typing import Any

import pytest
import tiny
from tiny import one_thread as one_thread  # a fixture of every test here
from torch import nn

from cnn_mnist.classifier import Classifier
from cnn_mnist.networks import NETWORKS

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from markdown_blocks import blocks  # noqa: E402

PAGE = (ROOT / "docs" / "from-estimator.md").read_text("utf-8")
SHORT = {"steps=20000": "steps=3", "== 1000": "== 4", "step % 100": "step % 2"}


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names that the page has defined before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(NETWORKS, "_parts", dict(NETWORKS._parts))
    return {"__name__": "reader", "Classifier": Classifier, "data": tiny.tiny_dataset()}


def run(names: dict[str, Any], about: str) -> None:
    (code,) = (block.code for block in blocks(PAGE) if about in block.code)
    for long, short in SHORT.items():
        code = code.replace(long, short)
    exec(code, names)


def test_the_network_is_the_tutorials_and_the_loop_trains_it(
    names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run(names, "class MyNet")
    network: nn.Module = names["my_classifier"].network()
    assert sum(value.numel() for value in network.parameters()) == 3_274_634
    assert names["my_classifier"].recipe.network == "reader:MyNet"
    run(names, "data.train.batches")
    printed = capsys.readouterr().out
    assert "step 2: loss" in printed
    assert "step 4: loss" in printed
    assert f"test accuracy {names['right'] / 50:.2%}" in printed
