"""Model files turned back into networks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from linear_model import save
from tiny import one_thread as one_thread  # a fixture of every test here
from tiny import tiny_split, trained

from cnn_mnist.errors import ModelError
from cnn_mnist.export.from_onnx import load_network
from cnn_mnist.export.network import export_network
from cnn_mnist.inference.model import BUNDLED, Model
from cnn_mnist.networks import NETWORKS
from cnn_mnist.networks.classify import classify

IMAGES = tiny_split(40).images


def written(folder: Path, network: str, steps: int = 2, **options: Any) -> Path:
    """Train a network for a few steps, and export it."""
    trainer = trained(folder / "run", network=network, steps=steps)
    metadata = {"recipe": trainer.recipe.to_dict(), "global_step": steps}
    result = export_network(trainer.model, metadata, IMAGES, folder=folder, **options)
    return Path(result["path"])


@pytest.mark.parametrize("name", NETWORKS.names())
def test_every_network_computes_what_its_file_computes(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, name)
    network, metadata = load_network(path)
    np.testing.assert_allclose(
        classify(network, IMAGES), Model(path).classify(IMAGES), rtol=1e-3, atol=1e-4
    )
    assert metadata["global_step"] == "2"


def test_the_bundled_model_is_a_network_again() -> None:
    network, _ = load_network(BUNDLED)
    np.testing.assert_allclose(
        classify(network, IMAGES), Model(BUNDLED).classify(IMAGES), rtol=1e-3, atol=1e-3
    )


def test_kernels_in_8_bits_are_unpacked(tmp_path: Path) -> None:
    path = written(tmp_path, "softmax", 60, weights="int8")
    network, _ = load_network(path)
    np.testing.assert_allclose(
        classify(network, IMAGES), Model(path).classify(IMAGES), rtol=1e-4, atol=1e-4
    )


def test_a_file_of_another_program_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.onnx cannot be turned back into a network"):
        load_network(save(tmp_path / "model.onnx"))


def test_each_variant_has_a_name_of_its_own(tmp_path: Path) -> None:
    split = tiny_split(40)
    paths = [
        written(tmp_path, "softmax", 60, **options)
        for options in (
            {},
            {"weights": "int8"},
            {"scales": IMAGES},
            {"calibration": split},
            {"calibration": split, "weights": "int8"},
        )
    ]
    assert [path.name for path in paths] == [
        "model.onnx",
        "model-int8-weights.onnx",
        "model-int8.onnx",
        "model-calibrated.onnx",
        "model-calibrated-int8-weights.onnx",
    ]
    assert json.loads(Model(paths[3]).metadata["temperature"]) > 0
