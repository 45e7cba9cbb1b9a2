"""Training from given weights: the same rules as from drawn ones."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from tiny import SendSignal, hashes, tiny_dataset, tiny_recipe, tiny_split, trained
from tiny import one_thread as one_thread  # a fixture of every test here

from cnn_mnist.data.dataset import Dataset
from cnn_mnist.errors import CnnMnistWarning, RunError
from cnn_mnist.export.start import read_start
from cnn_mnist.networks.build import build
from cnn_mnist.networks.classify import classify
from cnn_mnist.runs.identity import require_identity
from cnn_mnist.runs.run import Run
from cnn_mnist.runs.start import StartWeights
from cnn_mnist.training.batch_norm import restore_batch_norm
from cnn_mnist.training.hooks import Hook
from cnn_mnist.training.loop import train
from cnn_mnist.training.trainer import Trainer

NORMALISED = {
    "network": "cnn-bn",
    "augmentation": "elastic",
    "dropout": 0.4,
    "batch_size": 8,
    "steps": 6,
    "checkpoint_every": 2,
}


def _source(run_dir: Path, **changes: Any) -> StartWeights:
    trained(run_dir, seed=7, **changes)
    return read_start(run_dir)


def _train(
    run_dir: Path,
    start: StartWeights | None,
    *,
    dataset: Dataset | None = None,
    hooks: Sequence[Hook] = (),
    **changes: Any,
) -> Trainer:
    return train(
        Run(run_dir),
        tiny_recipe(**changes),
        dataset or tiny_dataset(),
        device="cpu",
        start=start,
        hooks=hooks,
    )


def test_the_first_step_begins_at_the_given_weights(tmp_path: Path) -> None:
    start = _source(tmp_path / "source")
    trainer = _train(tmp_path / "run", start, steps=1, learning_rate=0.0)
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(value, start.weights[name]), name


def test_a_killed_run_needs_no_start_again_and_ends_with_the_same_weights(tmp_path: Path) -> None:
    start = _source(tmp_path / "source", **NORMALISED)
    _train(tmp_path / "straight", start, **NORMALISED)
    killed = subprocess.run(
        [sys.executable, __file__, tmp_path / "killed", tmp_path / "source"],
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(tiny.__file__).parent)},
    )
    assert killed.returncode == -9
    _train(tmp_path / "killed", None, **NORMALISED)
    assert hashes(tmp_path / "killed", 6) == hashes(tmp_path / "straight", 6)


def test_the_run_keeps_the_hash_of_its_start(tmp_path: Path) -> None:
    start = _source(tmp_path / "source")
    _train(tmp_path / "run", start)
    assert require_identity(Run(tmp_path / "run")).start_sha256 == start.sha256
    assert (
        json.loads((tmp_path / "run" / "recipe.json").read_text())["start_sha256"] == start.sha256
    )


def test_a_run_from_drawn_weights_has_no_such_hash(tmp_path: Path) -> None:
    trained(tmp_path)
    assert require_identity(Run(tmp_path)).start_sha256 is None
    assert "start_sha256" not in json.loads((tmp_path / "recipe.json").read_text())


def test_another_start_is_refused(tmp_path: Path) -> None:
    _train(tmp_path / "run", _source(tmp_path / "source"))
    other = _source(tmp_path / "other", steps=20)
    with pytest.raises(RunError, match=r"start weights: SHA-256 .* -> SHA-256 "):
        _train(tmp_path / "run", other, steps=40)


def test_a_start_is_refused_where_the_run_began_without(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    with pytest.raises(RunError, match="start weights: drawn from the seed -> SHA-256 "):
        _train(tmp_path / "run", _source(tmp_path / "source"), steps=40)


def test_killed_before_its_first_checkpoint_a_run_wants_its_start_again(tmp_path: Path) -> None:
    start = _source(tmp_path / "source")
    _train(tmp_path / "run", start)
    for folder in (tmp_path / "run" / "checkpoints").iterdir():
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    with pytest.raises(RunError, match=r"start weights: SHA-256 .* -> drawn from the seed"):
        _train(tmp_path / "run", None)
    assert _train(tmp_path / "run", start).step == 30


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    start = _source(tmp_path / "source")
    with pytest.raises(RunError, match="of the network softmax and do not fit"):
        _train(tmp_path / "run", start, network="small")
    assert not (tmp_path / "run" / "recipe.json").exists()


def test_with_another_number_of_classes_only_the_last_layer_is_new(tmp_path: Path) -> None:
    start = _source(tmp_path / "source", network="small", dropout=0.0)
    whole = tiny_split(100)
    three = whole.take((whole.labels < 3).nonzero()[0])
    dataset = Dataset("three", three, three, three)
    with pytest.warns(CnnMnistWarning, match="10 classes apart, the data has 3: the layer logits"):
        trainer = _train(
            tmp_path / "run", start, dataset=dataset, network="small", dropout=0.0, steps=1,
            learning_rate=0.0,
        )  # fmt: skip
    for name, value in trainer.model.named_parameters():
        if name.startswith("logits"):
            assert len(value) == 3
        else:
            assert torch.equal(value, start.weights[name]), name


def test_a_folded_normalisation_gets_its_statistics_back() -> None:
    generator = torch.Generator().manual_seed(0)
    model = build(tiny_recipe(network="cnn-bn"), 10, generator)
    for name, value in model.state_dict().items():  # as `load_network` leaves it
        if name.endswith("running_var"):
            value.fill_(1 - 1e-5)
        elif "norm" in name and name.endswith(".bias"):
            value.uniform_(-0.1, 0.1, generator=generator)
    images = tiny_split(60).images
    before = classify(model, images)
    model.train()
    restore_batch_norm(model, torch.from_numpy(images).unsqueeze(1))
    assert classify(model, images) == pytest.approx(before, abs=1e-4)
    batch = torch.from_numpy(images).unsqueeze(1).float() / 255
    for layer in model.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.eval()
    # as the statistics are those of the batch, training starts at what the network computes
    assert model(batch).detach().numpy() == pytest.approx(before, abs=1e-3)


if __name__ == "__main__":  # RUN_DIR SOURCE: train from a run's weights, and be killed after step 5
    import signal

    torch.set_num_threads(1)
    kill = SendSignal(signal.SIGKILL, at=5)
    _train(Path(sys.argv[1]), read_start(sys.argv[2]), hooks=(kill,), **NORMALISED)
