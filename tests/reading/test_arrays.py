"""Arrays in MNIST's form, from files and from memory, are classified image by image."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from linear_model import IMAGES, expected, save

from cnn_mnist.data import idx
from cnn_mnist.errors import DataError, ImageError
from cnn_mnist.inference.model import Model
from cnn_mnist.reading.arrays import is_array, read_array, to_array


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model(save(tmp_path_factory.mktemp("arrays") / "model.onnx"), threads=1)


# --- array files


def test_an_array_file_is_classified_image_by_image(model: Model, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    idx.write(tmp_path / "images-idx3-ubyte", IMAGES)
    idx.write(tmp_path / "images-idx3-ubyte.gz", IMAGES)
    classes = expected(IMAGES).argmax(axis=1).tolist()
    for name in ("images.npy", "images-idx3-ubyte", "images-idx3-ubyte.gz"):
        digits = list(read_array(model, tmp_path / name))
        assert [digit.class_ for digit in digits] == classes
        assert {digit.box for digit in digits} == {(0, 0, 28, 28)}
        assert digits[0].probability == max(digits[0].probabilities)
        assert sum(digits[0].probabilities) == pytest.approx(1)


@pytest.mark.parametrize(("shape", "count"), [((28, 28), 1), ((0, 28, 28), 0), ((3, 1, 28, 28), 3)])
def test_an_array_file_may_hold_one_image_or_none(
    shape: tuple[int, ...], count: int, model: Model, tmp_path: Path
) -> None:
    np.save(tmp_path / "images.npy", np.zeros(shape, np.uint8))
    assert len(list(read_array(model, tmp_path / "images.npy"))) == count


class Trap:
    """Ends the test when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("unpickled",)


def write_pickle(path: Path) -> None:
    np.save(path, np.array([Trap()], dtype=object), allow_pickle=True)


def write_zip(path: Path) -> None:
    with path.open("wb") as stream:
        np.savez(stream, IMAGES)


def write_truncated(path: Path) -> None:
    np.save(path, IMAGES)
    path.write_bytes(path.read_bytes()[:-1])


def write_scalar(path: Path) -> None:
    np.save(path, np.float64(3))


def write_vector(path: Path) -> None:
    np.save(path, np.zeros(28))


def write_nothing(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize(
    "write",
    [write_pickle, write_zip, write_truncated, write_scalar, write_vector, write_nothing],
)
def test_an_array_file_of_another_form_is_refused(write: Any, model: Model, tmp_path: Path) -> None:
    write(tmp_path / "images.npy")
    with pytest.raises(ImageError):
        list(read_array(model, tmp_path / "images.npy"))


def test_a_missing_array_file_is_named(model: Model, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"images\.npy"):
        list(read_array(model, tmp_path / "images.npy"))
    with pytest.raises(DataError, match="images-idx3-ubyte"):
        list(read_array(model, tmp_path / "images-idx3-ubyte"))


def test_upper_case_and_content_decide_what_an_array_is(model: Model, tmp_path: Path) -> None:
    classes = expected(IMAGES).argmax(axis=1).tolist()
    np.save(tmp_path / "images.npy", IMAGES)
    idx.write(tmp_path / "images.idx", IMAGES)
    for name, source in {
        "IMAGES.NPY": "images.npy",
        "no-suffix": "images.npy",
        "other.dat": "images.idx",
        "T10K-IMAGES-IDX3-UBYTE.GZ": "images.idx",
    }.items():
        path = tmp_path / name
        path.write_bytes((tmp_path / source).read_bytes())
        assert is_array(path)
        assert [digit.class_ for digit in read_array(model, path)] == classes


@pytest.mark.parametrize("name", ["scan-ubyte.png", "ubyte.JPG", "a.idx.tif", "IMG.HEIC", "a.pdf"])
def test_an_image_suffix_makes_a_picture_whatever_else_is_in_the_name(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(b"\x93NUMPY")
    assert not is_array(tmp_path / name)


@pytest.mark.parametrize("name", ["pipe.npy", "pipe-ubyte", "pipe"])
def test_a_pipe_is_neither_waited_for_nor_read_as_an_array(
    name: str, model: Model, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / name)
    assert is_array(tmp_path / name) is (name != "pipe")
    with pytest.raises(ImageError, match=f"{name} cannot be read: it is not a regular file"):
        list(read_array(model, tmp_path / name))


# --- images in memory, for `Classifier.predict`


def test_lists_and_tensors_become_arrays() -> None:
    bytes_, floats = IMAGES[:3], (IMAGES[:3] / 255).astype(np.float32)
    for given, array in [
        (bytes_, bytes_),
        (list(bytes_), bytes_),
        (bytes_.tolist(), bytes_),
        (floats.tolist(), floats),
        (torch.from_numpy(bytes_), bytes_),
        (torch.from_numpy(floats).requires_grad_(), floats),
        (list(torch.from_numpy(floats)), floats),
        (tuple(torch.from_numpy(bytes_)), bytes_),
    ]:
        np.testing.assert_allclose(to_array(given), array)
    half = to_array(torch.from_numpy(floats).bfloat16())
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, floats, atol=0.01)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (None, "images cannot be of type NoneType: give an array, a torch tensor or a list"),
        ("images.npy", "images cannot be of type str"),
        ([np.zeros((28, 28)), np.zeros((5, 5))], "the images of the list differ in shape"),
        ([[[1, 2], [3]]], "the images of the list differ in shape"),
        ([None], "images cannot be of type NoneType"),
    ],
)
def test_images_of_another_type_get_one_clear_sentence(images: Any, sentence: str) -> None:
    with pytest.raises(ImageError, match=sentence):
        to_array(images)
