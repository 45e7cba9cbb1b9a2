"""A data set is written as four IDX files, and is the same one when it is loaded again."""

from pathlib import Path

import numpy as np
import pytest

from cnn_mnist import load
from cnn_mnist.data import digits
from cnn_mnist.data.dataset import Dataset
from cnn_mnist.data.idx_folder import write_idx_folder
from cnn_mnist.errors import DataError


def named(*names: str) -> Dataset:
    """Return 36 training and 6 test images of noise, of two classes."""
    random = np.random.default_rng(0)
    labels = np.arange(36, dtype=np.uint8) % 2
    images = random.integers(0, 100, (36, 28, 28), dtype=np.uint8)
    return Dataset.from_arrays(
        "noise", (images, labels), (images[:6], labels[:6]), class_names=names
    )


@pytest.mark.parametrize("names", [(), ("a", "b"), ("0", "1", "2"), ("7", "ß/ \u732b")])
def test_a_data_set_has_the_same_hash_when_it_is_loaded_again(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    dataset = named(*names)
    write_idx_folder(dataset, tmp_path / "new" / "out")
    again = load(str(tmp_path / "new" / "out"))
    assert (again.sha256, again.class_names) == (dataset.sha256, dataset.class_names)
    assert (tmp_path / "new" / "out" / "classes.txt").exists() == bool(names)


def test_the_bundled_digits_have_the_same_hash_when_they_are_loaded_again(tmp_path: Path) -> None:
    write_idx_folder(digits.load(), tmp_path / "digits")
    assert load(str(tmp_path / "digits")).sha256 == digits.load().sha256


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a\n", "1 class names, but a label 1"),
        (b"a\na\n", "classes.txt: two classes have the name 'a'"),
        (b"a\n\n", "classes.txt: the class name ''"),
        (b"a\n\xff\n", "classes.txt: 'utf-8' codec can't decode"),
        (b"a" * (1 << 19), "classes.txt cannot be read: larger than the limit"),
    ],
)
def test_class_names_that_cannot_be_used_are_refused(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    write_idx_folder(named(), tmp_path / "out")
    (tmp_path / "out" / "classes.txt").write_bytes(content)
    with pytest.raises(DataError) as caught:
        load(str(tmp_path / "out"))
    assert str(caught.value).startswith(str(tmp_path / "out"))
    assert expected in str(caught.value)


def test_a_folder_that_holds_something_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(DataError, match="holds something else already"):
            write_idx_folder(named(), path)
    with pytest.raises(DataError, match="cannot be written"):
        write_idx_folder(named(), tmp_path / "notes.txt" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_idx_folder(named(), tmp_path / "out")
    assert load(str(tmp_path / "out")).name == "out"
