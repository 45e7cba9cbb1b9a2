"""A model's weights lie in its file or beside it: no model reads another file of its user."""

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from cnn_mnist.inference.external_data import INNER, locations, require_inside
from cnn_mnist.inference.model import BUNDLED

MESSAGES = onnx.onnx_ml_pb2.DESCRIPTOR.message_types_by_name


def tensor(location: str) -> TensorProto:
    """Return a tensor that lies in another file."""
    made = TensorProto(name="a", dims=[1], data_type=TensorProto.FLOAT, data_location="EXTERNAL")
    for key, value in (("offset", "0"), ("location", location), ("length", "4")):
        made.external_data.add(key=key, value=value)
    return made


def model(location: str) -> onnx.ModelProto:
    """Return a model with a weight that lies in another file."""
    graph = helper.make_graph([], "g", [], [], [tensor(location)])
    return helper.make_model(graph)


def leads_to_a_tensor(message: Any, seen: tuple[Any, ...] = ()) -> bool:
    """Return whether a message of this kind is or can hold a tensor, at any depth."""
    inner = [field.message_type for field in message.fields if field.message_type]
    return message.name == "TensorProto" or any(
        leads_to_a_tensor(other, (*seen, message)) for other in inner if other not in seen
    )


def test_every_field_of_onnx_in_which_a_tensor_can_lie_is_looked_through() -> None:
    for kind, looked_through in INNER.items():
        if kind != "TensorProto":
            assert looked_through == {
                field.number: field.message_type.name
                for field in MESSAGES[kind].fields
                if field.message_type and leads_to_a_tensor(field.message_type)
            }
    names = {name for inner in INNER.values() for name in inner.values()}
    assert names - {"StringStringEntryProto"} == INNER.keys() - {"ModelProto"}
    number = MESSAGES["TensorProto"].fields_by_name["external_data"].number
    assert INNER["TensorProto"] == {number: "StringStringEntryProto"}


def test_the_files_of_tensors_are_found_at_any_depth() -> None:
    inner = helper.make_graph([], "inner", [], [], [tensor("b")])
    constant = helper.make_node("Constant", [], ["c"], value=tensor("c"))
    branch = helper.make_node("If", ["a"], ["d"], then_branch=inner, else_branch=inner)
    function = helper.make_function("own", "f", [], ["c"], [constant], [])
    graph = helper.make_graph([constant, branch], "g", [], [], [tensor("a")])
    made = helper.make_model(graph, functions=[function])
    assert sorted(locations(made.SerializeToString())) == ["a", "b", "b", "c", "c"]
    assert list(locations(BUNDLED.read_bytes())) == []


@pytest.mark.parametrize(
    "location", ["../secret", "/etc/passwd", "link", "nowhere", "", ".", "*/_ORT_MEM_ADDR_/*"]
)
def test_weights_that_are_not_in_a_file_beside_the_model_are_refused(
    location: str, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(b"1234")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    content = model(location).SerializeToString()
    with pytest.raises(ValueError, match=r"external data .* is not a file beside it"):
        require_inside(folder / "model.onnx", content, 4)


def test_weights_in_a_file_beside_the_model_are_accepted_up_to_a_limit(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"1234")
    content = model("weights").SerializeToString()
    require_inside(tmp_path / "model.onnx", content, 4)
    with pytest.raises(ValueError, match="larger than the limit of 3 bytes"):
        require_inside(tmp_path / "model.onnx", content, 3)


def test_bytes_that_are_not_a_message_are_refused_or_hold_no_tensor() -> None:
    content = model("weights").SerializeToString()
    for end in range(1, len(content)):
        try:
            found = list(locations(content[:end]))
        except ValueError:
            continue
        assert found in ([], ["weights"])
    for damaged in (b"\xff" * 20, b"\x0b", b"\x3a\x05a", b"\x09\x00"):
        with pytest.raises(ValueError, match=r"ends within|form"):
            list(locations(damaged))
