"""Inference from a model file: shapes, types, refusals, and no torch."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import linear_model
import numpy as np
import numpy.typing as npt
import onnx
import pytest
from linear_model import IMAGES, expected, save
from onnx import TensorProto, helper, numpy_helper

from cnn_mnist.errors import ImageError, ModelError
from cnn_mnist.inference import model as infer
from cnn_mnist.inference.model import Model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model(save(tmp_path_factory.mktemp("infer") / "model.onnx"), threads=1)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(20, 28, 28), (20, 1, 28, 28), (28, 28)])
def test_images_of_any_promised_shape_and_type_are_classified(
    shape: tuple[int, ...], dtype: type, model: Model
) -> None:
    pixels = IMAGES[:1] if shape == (28, 28) else IMAGES
    images = pixels if dtype is np.uint8 else (pixels / 255).astype(dtype)
    logits, probabilities = model.predict(images.reshape(shape))
    np.testing.assert_allclose(logits, expected(pixels), atol=2e-2 if dtype is np.float16 else 1e-5)
    powers = np.exp(logits)
    np.testing.assert_allclose(probabilities, powers / powers.sum(axis=1, keepdims=True), atol=1e-6)
    assert logits.dtype == probabilities.dtype == np.float32


def test_large_arrays_are_classified_piece_by_piece(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = model.classify(IMAGES)
    monkeypatch.setattr(infer, "BATCH_SIZE", 7)
    assert [len(batch) for batch in infer.inputs(IMAGES)] == [7, 7, 6]
    np.testing.assert_allclose(model.classify(IMAGES), whole, atol=1e-6)


@pytest.mark.parametrize("shape", [(0, 28, 28), (0, 1, 28, 28)])
def test_no_images_give_no_results(shape: tuple[int, ...], model: Model) -> None:
    for result in model.predict(np.empty(shape, np.uint8)):
        assert result.shape == (0, 10)
        assert result.dtype == np.float32


@pytest.mark.parametrize(
    ("images", "complaint"),
    [
        (np.zeros((2, 28, 27), np.uint8), r"shape \(2, 28, 27\)"),
        (np.zeros((2, 3, 28, 28), np.uint8), r"shape \(2, 3, 28, 28\)"),
        (np.zeros((1, 1, 1, 28, 28), np.uint8), "shape"),
        (np.zeros(28, np.uint8), "shape"),
        (np.zeros((), np.uint8), "shape"),
        (np.zeros((2, 28, 28), np.int64), "not int64"),
        (np.zeros((2, 28, 28), np.bool_), "not bool"),
        (np.zeros((2, 28, 28), np.complex64), "not complex64"),
        (np.full((2, 28, 28), np.nan), "values in"),
        (np.full((2, 28, 28), 255.0), "values in"),
        (np.full((2, 28, 28), 1.01), "values in"),
        (np.full((2, 28, 28), -0.01), "values in"),
    ],
    ids=str,
)
def test_other_arrays_are_refused(images: npt.NDArray[Any], complaint: str, model: Model) -> None:
    with pytest.raises(ImageError, match=complaint):
        model.predict(images)


# --- files that are no model of ours


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x08\x07" * 500])
def test_a_file_of_garbage_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.onnx is not an ONNX model") as caught:
        Model(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_model_is_refused(share: float, tmp_path: Path) -> None:
    path = save(tmp_path / "model.onnx")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError, match="is not an ONNX model"):
        Model(path)


def test_a_missing_model_is_refused_with_the_way_out(tmp_path: Path) -> None:
    for path in (tmp_path / "model.onnx", tmp_path):
        with pytest.raises(ModelError, match="is not a model file: train one"):
            Model(path)


@pytest.mark.parametrize(
    "form",
    [
        {"takes": ("input", ["batch", 1, 28, 28])},
        {"gives": ("logits", "softmax")},
        {"takes": ("images", ["batch", 28, 28])},
        {"takes": ("images", ["batch", 1, "height", "width"])},
        {"shape": ("batch", "classes")},
    ],
    ids=str,
)
def test_another_kind_of_model_is_refused_in_one_line(form: dict[str, Any], tmp_path: Path) -> None:
    path = save(tmp_path / "model.onnx", **form)
    if form.get("shape"):  # shape inference would put the true number in
        path = free_the_classes(path)
    with pytest.raises(ModelError, match="another kind of model") as caught:
        Model(path)
    assert "\n" not in str(caught.value)


def free_the_classes(path: Path) -> Path:
    """Make the weights an input with a default, so that their size may change with each run."""
    proto = onnx.load(path)
    sizes = ["pixels", "classes"]
    weights = helper.make_tensor_value_info("weights", TensorProto.FLOAT, sizes)
    proto.graph.input.append(weights)
    onnx.save(proto, path)
    return path


def test_class_names_are_read_and_a_file_without_them_has_the_numbers(
    model: Model, tmp_path: Path
) -> None:
    assert model.class_names == tuple("0123456789")
    names = [*"ABCDEFGHI", "capital \N{LATIN CAPITAL LETTER J}"]
    path = save(tmp_path / "named.onnx", metadata={"class_names": json.dumps(names)})
    assert Model(path).class_names == tuple(names)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ('["A", "B"]', "there are 2 for 10 classes"),
        ("{", "Expecting property name"),
        ("7", "class names are 7, not a list"),
        ('"ABCDEFGHIJ"', "class names are 'ABCDEFGHIJ', not a list"),
        (json.dumps(["A"] * 10), "two classes have the name 'A'"),
        (json.dumps([*"ABCDEFGHI", 7]), "the class name 7 is not a text"),
        (json.dumps([*"ABCDEFGHI", ""]), "the class name '' is not one of 1 to 64"),
        (json.dumps([*"ABCDEFGHI", "\x1b[2J\n"]), "is not one of 1 to 64 printable"),
        (json.dumps([*"ABCDEFGHI", "J" * 65]), "is not one of 1 to 64 printable"),
        (json.dumps([*"ABCDEFGHI", "\ud800"]), "is not one of 1 to 64 printable"),
        ("[" * 100_000, "recursion"),
        (" " * (1 << 20), "they have 1,048,576 characters"),
    ],
    ids=lambda text: text[:20],
)
def test_a_model_with_impossible_class_names_is_refused_in_one_line(
    names: str, reason: str, tmp_path: Path
) -> None:
    path = save(tmp_path / "model.onnx", metadata={"class_names": names})
    with pytest.raises(ModelError, match="has class names that cannot be used") as caught:
        Model(path)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_model_of_more_than_256_classes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear_model, "WEIGHTS", np.ones((28 * 28, 257), np.float32))
    path = save(tmp_path / "model.onnx", shape=("batch", 257))
    with pytest.raises(ModelError, match="has 257 classes: expected 1 to 256"):
        Model(path)


def test_predicting_never_imports_torch(model: Model) -> None:
    code = (
        "import sys; from pathlib import Path; import numpy as np; import cnn_mnist\n"
        "model = cnn_mnist.Model(Path(sys.argv[1]))\n"
        "assert len(model.predict(np.zeros((2, 28, 28), np.uint8))[0]) == 2\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, model.path], check=True)


# --- files of others


def foreign(path: Path, *nodes: onnx.NodeProto, weights: onnx.TensorProto) -> Path:
    """A model file of the right form with these nodes between the images and `total`."""
    shapes = {"images": ["batch", 1, 28, 28]}
    shapes |= {name: ["batch", 10] for name in ("logits", "probabilities")}
    values = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    }
    dense = (
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["dense"]),
        helper.make_node("Add", ["dense", "total"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    )
    graph = helper.make_graph(
        [*nodes, *dense],
        "foreign",
        [values["images"]],
        [values["logits"], values["probabilities"]],
        [weights, numpy_helper.from_array(np.array([200_000, 100_000]), "size")],
    )
    opset = helper.make_opsetid("", 18)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


ZEROS = numpy_helper.from_array(np.zeros((784, 10), np.float32), "weights")
SUM = helper.make_node("ReduceSum", ["big"], ["total"], keepdims=0)


def test_a_graph_that_asks_for_endless_memory_does_not_get_it(tmp_path: Path) -> None:
    big = helper.make_node("ConstantOfShape", ["size"], ["big"])  # 80 GB
    path = foreign(tmp_path / "bomb.onnx", big, SUM, weights=ZEROS)
    with pytest.raises(ModelError, match=r"bomb\.onnx (cannot be run|is not an ONNX model): "):
        Model(path).predict(np.zeros((1, 28, 28), np.uint8))


@pytest.mark.parametrize("form", ["above", "absolute", "link"])
def test_weights_outside_the_folder_of_a_model_file_are_refused(form: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(ZEROS.raw_data)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(secret)
    location = {"above": "../secret.bin", "absolute": str(secret), "link": "link"}[form]
    outside = TensorProto(
        name="weights", dims=ZEROS.dims, data_type=ZEROS.data_type, data_location="EXTERNAL"
    )
    for key, value in (("location", location), ("length", str(len(ZEROS.raw_data)))):
        outside.external_data.add(key=key, value=value)
    total = helper.make_node("ReduceSum", ["images"], ["total"], keepdims=0)
    path = foreign(folder / "model.onnx", total, weights=outside)
    with pytest.raises(ModelError, match="xternal data"):
        Model(path)


def test_a_model_file_above_the_size_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    path.touch()
    os.truncate(path, 1 << 40)
    with pytest.raises(ModelError, match=r"large\.onnx has 1,099,511,627,776 bytes"):
        Model(path)
