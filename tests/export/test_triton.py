"""Test the Triton model repository with Triton's own schema."""

import shutil
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from cnn_mnist.errors import ExportError
from cnn_mnist.export.triton import NAME, model_file, write_config
from cnn_mnist.inference.model import BUNDLED
from cnn_mnist.serve.protocol import model_metadata


def test_the_configuration_fits_tritons_schema_and_the_servers_metadata(tmp_path: Path) -> None:
    shutil.copy(BUNDLED, model_file(tmp_path))
    path = write_config(tmp_path)
    assert path == tmp_path / NAME / "config.pbtxt"
    config = text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())
    metadata = model_metadata(tuple("0123456789"))
    assert config.name == metadata["name"]
    assert config.platform == metadata["platform"]
    assert config.max_batch_size == 256
    for ours, theirs in (("inputs", config.input), ("outputs", config.output)):
        expected = [(tensor["name"], tensor["shape"][1:]) for tensor in metadata[ours]]
        assert expected == [(tensor.name, list(tensor.dims)) for tensor in theirs]
        assert {tensor.data_type for tensor in theirs} == {model_config_pb2.TYPE_FP32}


def test_a_repository_that_cannot_be_created_is_an_export_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="cannot be created"):
        model_file(tmp_path / "file")
