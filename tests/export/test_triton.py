"""A model file as a Triton model repository, read with Triton's own schema."""

from pathlib import Path

import pytest
from google.protobuf import text_format
from test_infer import save
from tritonclient.grpc import model_config_pb2

from cnn_mnist.errors import ExportError
from cnn_mnist.export.triton import NAME, model_file, write_config
from cnn_mnist.serve.protocol import model_metadata


def test_the_configuration_is_triton_s_and_says_what_the_server_says(tmp_path: Path) -> None:
    save(model_file(tmp_path))
    path = write_config(tmp_path)
    assert path == tmp_path / NAME / "config.pbtxt"
    config = text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())
    metadata = model_metadata(10)
    assert config.name == metadata["name"]
    assert config.platform == metadata["platform"]
    assert config.max_batch_size == 256
    for ours, theirs in (("inputs", config.input), ("outputs", config.output)):
        said = [(tensor["name"], tensor["shape"][1:]) for tensor in metadata[ours]]
        assert said == [(tensor.name, list(tensor.dims)) for tensor in theirs]
        assert {tensor.data_type for tensor in theirs} == {model_config_pb2.TYPE_FP32}


def test_a_place_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="cannot be made"):
        model_file(tmp_path / "file")
