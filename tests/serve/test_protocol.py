"""Test the Open Inference Protocol: valid and invalid requests, and responses."""

import json
import tracemalloc
from typing import Any

import numpy as np
import pytest

from cnn_mnist.serve.protocol import OUTPUTS, ProtocolError, model_metadata, parse, render

IMAGES = np.random.default_rng(0).random((2, 1, 28, 28), np.float32)


def tensor(**changes: Any) -> dict[str, Any]:
    values = {"name": "images", "shape": [2, 1, 28, 28], "datatype": "FP32"}
    return values | {"data": IMAGES.ravel().tolist()} | changes


def message(**changes: Any) -> bytes:
    return json.dumps({"inputs": [tensor()]} | changes).encode()


@pytest.mark.parametrize("data", [IMAGES.tolist(), IMAGES.ravel().tolist(), IMAGES[:, 0].tolist()])
def test_data_may_be_flat_or_nested(data: list[Any]) -> None:
    assert np.array_equal(parse(message(inputs=[tensor(data=data)])).images, IMAGES)


def test_whole_numbers_are_numbers() -> None:
    data = np.ones(2 * 784, int).tolist()
    assert parse(message(inputs=[tensor(data=data)])).images.dtype == np.float32


def test_tensors_may_follow_the_json_as_bytes() -> None:
    values = tensor(parameters={"binary_data_size": IMAGES.nbytes})
    del values["data"]
    header = message(inputs=[values])
    assert np.array_equal(parse(header + IMAGES.tobytes(), len(header)).images, IMAGES)


def test_all_outputs_are_returned_if_none_is_named() -> None:
    assert parse(message()).outputs == OUTPUTS
    assert parse(message(outputs=[{"name": "logits"}])).outputs == ("logits",)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"inputs": 1}', "inputs is not a list"),
        (b'{"inputs": [1]}', "inputs is not a list"),
        (message(inputs=[]), "one tensor"),
        (message(inputs=[tensor(), tensor()]), "one tensor"),
        (message(inputs=[tensor(name="pixels")]), "named images"),
        (message(inputs=[tensor(datatype="INT8")]), "FP32"),
        (message(inputs=[tensor(shape=[1, 1, 28, 28])]), "1568 values"),
        (message(inputs=[tensor(shape=[0, 1, 28, 28], data=[])]), "N from 1 to 256"),
        (message(inputs=[tensor(shape=[257, 1, 28, 28])]), "N from 1 to 256"),
        (message(inputs=[tensor(shape=[True, 1, 28, 28])]), "shape"),
        (message(inputs=[tensor(shape=[2, 28, 28])]), "shape"),
        (message(inputs=[tensor(shape="2")]), "shape"),
        (message(inputs=[tensor(shape=[])]), "shape"),
        (message(inputs=[tensor(data=None)]), "not an array of numbers"),
        (message(inputs=[tensor(data=["0.5"] * 1568)]), "not an array of numbers"),
        (message(inputs=[tensor(data=[True] * 1568)]), "not an array of numbers"),
        (message(inputs=[tensor(data=[None] * 1568)]), "not an array of numbers"),
        (message(inputs=[tensor(data=[[1], [1, 2]])]), "not an array"),
        (message(inputs=[tensor(data=[])]), "0 values"),
        (message(inputs=[tensor(data=[[]] * 1568)]), "0 values"),
        (message(inputs=[tensor(data=[0.5, [0.5]] * 784)]), "not an array of numbers"),
        (message(inputs=[tensor(data=[0.5] * 1567 + [True])]), "not an array of numbers"),
        (message(inputs=[tensor(data=[{}] * 1568)]), "not an array of numbers"),
        (message(inputs=[tensor(data="0.5" * 1568)]), "not an array of numbers"),
        (message(inputs=[tensor(data={"0": 0.5})]), "not an array of numbers"),
        (message(inputs=[tensor(data=[0] * 300_000)]), "more than 262,144 values"),
        (message(more=[[]] * 300_000), "more than 262,144 values"),
        (message(inputs=[tensor(data=[1.5] * 1568)]), "values in"),
        (message(inputs=[tensor(data=[-1] * 1568)]), "values in"),
        (message(inputs=[tensor(data=[10**30] * 1568)]), "numbers|values in"),
        (message(inputs=[tensor(parameters={"binary_data_size": 4})]), "0 bytes follow"),
        (message(inputs=[tensor(parameters={"binary_data_size": "x"})]), "0 bytes follow"),
        (message(inputs=[tensor(parameters=[])]), "parameters is not an object"),
        (message(outputs=[{"name": "classes"}]), "no output 'classes'"),
        (message(outputs=[{"name": ["logits"]}]), "no output"),
        (message(id=5), "id is not a string"),
    ],
)
def test_an_invalid_request_is_refused_with_a_reason(body: bytes, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        parse(body)


@pytest.mark.parametrize(
    "data",
    [
        ["a" * 50_000, *["b"] * 1000],
        ["a" * 50_000, *[0.5] * 1567],
        [["a" * 50_000], *[["b"]] * 1000],
        [{"a" * 50_000: 1}, *[{}] * 1000],
        [10**18, *["b"] * 1000],
    ],
    ids=["strings", "a string and numbers", "lists of strings", "objects", "a number and strings"],
)
def test_data_that_are_not_numbers_are_refused_within_little_memory(data: list[Any]) -> None:
    body = message(inputs=[tensor(data=data)])
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match="not an array of numbers"):
            parse(body)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2_000_000  # as an array of strings of equal width: 200 MB


@pytest.mark.parametrize("value", [b"[" * 990 + b"]" * 990, b'"%s"' % (b"x" * 100_000)])
@pytest.mark.parametrize(
    "body",
    [
        b'{"outputs": [{"name": VALUE}]}',
        b'{"inputs": [{"name": "images", "datatype": VALUE}]}',
        b'{"inputs": [{"name": "images", "datatype": "FP32", "shape": VALUE}]}',
        message(inputs=[tensor(parameters={"binary_data_size": "VALUE"})]).replace(b'"V', b"V"),
    ],
    ids=["output", "datatype", "shape", "size"],
)
def test_an_error_quotes_only_the_beginning_of_what_it_refuses(body: bytes, value: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse(body.replace(b'VALUE"', b"VALUE").replace(b"VALUE", value))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_bytes_that_are_not_finite_numbers_are_refused(value: float) -> None:
    images = np.full((1, 1, 28, 28), value, np.float32)
    values = tensor(shape=[1, 1, 28, 28], parameters={"binary_data_size": images.nbytes})
    header = message(inputs=[values])
    with pytest.raises(ProtocolError, match="values in"):
        parse(header + images.tobytes(), len(header))


def test_json_longer_than_the_body_is_refused() -> None:
    with pytest.raises(ProtocolError, match="inference-header-content-length"):
        parse(b"{}", 3)


def answer(request: bytes) -> tuple[dict[str, Any], bytes]:
    logits = np.arange(20, dtype=np.float32).reshape(2, 10)
    content, header = render(parse(request), logits, logits / 20)
    header = len(content) if header is None else header
    return json.loads(content[:header]), content[header:]


def test_a_response_has_the_request_s_id_and_the_outputs_in_the_requested_order() -> None:
    wanted = [{"name": "probabilities"}, {"name": "logits"}]
    values, after = answer(message(id="seven", outputs=wanted))
    assert values["id"] == "seven"
    assert [output["name"] for output in values["outputs"]] == ["probabilities", "logits"]
    assert values["outputs"][1]["data"] == list(range(20))
    assert values["outputs"][1]["shape"] == [2, 10]
    assert after == b""


def test_outputs_are_bytes_one_after_another_if_requested() -> None:
    values, after = answer(message(parameters={"binary_data_output": True}))
    sizes = [output["parameters"]["binary_data_size"] for output in values["outputs"]]
    assert sizes == [80, 80]
    assert np.frombuffer(after[:80], "<f4").tolist() == list(range(20))
    wanted = [{"name": "logits"}, {"name": "probabilities", "parameters": {"binary_data": True}}]
    values, after = answer(message(outputs=wanted))
    assert values["outputs"][0]["data"] == list(range(20))
    assert len(after) == 80


def test_the_metadata_are_those_of_the_model_file() -> None:
    metadata = model_metadata(tuple("0123456789"))
    assert metadata["inputs"] == [{"name": "images", "datatype": "FP32", "shape": [-1, 1, 28, 28]}]
    assert [output["shape"] for output in metadata["outputs"]] == [[-1, 10], [-1, 10]]
    assert "parameters" not in metadata


def test_named_classes_are_a_parameter_of_the_model_and_the_protocol_wants_a_text() -> None:
    metadata = model_metadata(("cat", "dog", "Ü"))
    assert [output["shape"] for output in metadata["outputs"]] == [[-1, 3], [-1, 3]]
    assert json.loads(metadata["parameters"]["class_names"]) == ["cat", "dog", "Ü"]
