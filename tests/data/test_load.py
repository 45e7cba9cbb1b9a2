"""A data set is loaded by name or from a folder, fetched, or refused."""

import errno
import os
import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnn_mnist.data import fetch, idx, load
from cnn_mnist.data.catalog import MNIST, SOURCES, Source
from cnn_mnist.data.verified_file import read_file
from cnn_mnist.errors import CnnMnistWarning, DataError, DownloadError

LABELS = "t10k-labels-idx1-ubyte"


@pytest.fixture
def source(tiny_source: Source, dead_mirror: str, monkeypatch: pytest.MonkeyPatch) -> Source:
    """Replace MNIST by a tiny one that no mirror delivers."""
    source = replace(tiny_source, mirrors=(dead_mirror,))
    monkeypatch.setitem(SOURCES, "mnist", source)
    return source


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Return the three places on this machine where MNIST is looked for, empty."""
    places = {name: tmp_path / name for name in ("--data-dir", "$CNN_MNIST_DATA")}
    for place in places.values():
        place.mkdir()
    monkeypatch.setenv("CNN_MNIST_DATA", str(places["$CNN_MNIST_DATA"]))
    return places | {"cache": fetch.cache_directory()}


def put(idx_folder: Path, place: Path) -> Path:
    """Copy the right files into `place/mnist/`."""
    return Path(shutil.copytree(idx_folder, place / "mnist"))


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("first", [0, 1, 2])
def test_mnist_is_searched_in_data_dir_then_the_variable_then_the_cache(
    places: dict[str, Path], idx_folder: Path, first: int
) -> None:
    folders = [put(idx_folder, place) for place in list(places.values())[first:]]
    assert load.find(SOURCES["mnist"], places["--data-dir"]) == folders[0]
    for folder in folders[1:]:  # the later places are not read
        (folder / f"{LABELS}.gz").write_bytes(b"damaged")
    dataset = load.load("mnist", places["--data-dir"])
    assert (dataset.name, len(dataset.train), len(dataset.test)) == ("mnist", 110, 30)


@pytest.mark.usefixtures("source")
def test_find_returns_none_where_no_place_has_mnist(places: dict[str, Path]) -> None:
    assert load.find(SOURCES["mnist"], places["--data-dir"]) is None


@pytest.mark.parametrize("origin", ["--data-dir", "$CNN_MNIST_DATA"])
@pytest.mark.parametrize("name", ["auto", "mnist"])
def test_a_missing_data_directory_is_refused_by_its_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: str, name: str
) -> None:
    nowhere = tmp_path / "nowhere"
    if origin.startswith("$"):
        monkeypatch.setenv(origin[1:], str(nowhere))
    with pytest.raises(DataError) as caught:
        load.load(name, None if origin.startswith("$") else nowhere)
    assert str(caught.value) == f"{origin}={nowhere} is not a directory"


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("place", ["--data-dir", "$CNN_MNIST_DATA"])
@pytest.mark.parametrize("name", ["auto", "mnist"])
@pytest.mark.parametrize("missing", [True, False])
def test_a_missing_or_damaged_file_of_the_user_is_named(
    places: dict[str, Path], idx_folder: Path, place: str, name: str, missing: bool
) -> None:
    put(idx_folder, places["cache"])
    damaged = put(idx_folder, places[place]) / f"{LABELS}.gz"
    damaged.unlink()
    if not missing:
        idx.write(damaged, np.zeros(30, np.uint8))
    with pytest.raises(
        DataError, match="is missing" if missing else "not the expected file"
    ) as caught:
        load.load(name, places["--data-dir"])
    assert str(damaged.with_suffix("")) in str(caught.value)


@pytest.mark.parametrize("spelling", [0, 1, 2, 3])
@pytest.mark.parametrize("missing", [True, False])
def test_a_missing_or_damaged_file_of_the_cache_is_fetched_again(
    source: Source,
    idx_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    spelling: int,
    missing: bool,
) -> None:
    folder = put(idx_folder, fetch.cache_directory())
    (folder / f"{LABELS}.gz").unlink()
    if not missing:
        (folder / source.files[3].spellings[spelling]).write_bytes(b"damaged")

    def download(url: str, path: Path, *, decode: bool) -> None:
        shutil.copy(idx_folder / url.rpartition("/")[2], path)

    monkeypatch.setattr(fetch, "_download", download)
    assert len(load.load("mnist").test) == 30


@pytest.mark.usefixtures("source")
def test_auto_without_mnist_warns_and_loads_the_digits() -> None:
    with pytest.warns(
        CnnMnistWarning, match="MNIST is not available, scikit-learn's digits.*no connection"
    ):
        assert load.load("auto").name == "digits"


@pytest.mark.usefixtures("source")
def test_auto_with_an_unwritable_cache_warns_and_loads_the_digits(
    tmp_path: Path,
) -> None:
    (tmp_path / "cache").write_text("in the way")
    with pytest.warns(CnnMnistWarning, match="cannot be written"):
        assert load.load("auto").name == "digits"


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as a user who has no home directory, as a container's user of any number."""

    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr("pwd.getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME", "CNN_MNIST_DATA"):
        monkeypatch.delenv(name, raising=False)


posix = pytest.mark.skipif(os.name == "nt", reason="simulated with POSIX's table of users")


@posix
@pytest.mark.usefixtures("source", "homeless")
@pytest.mark.parametrize("name", ["auto", "mnist"])
def test_a_user_without_a_home_directory_loads_mnist_from_the_place_that_he_names(
    idx_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    put(idx_folder, tmp_path / "data")
    assert load.load(name, tmp_path / "data").name == "mnist"
    monkeypatch.setenv("CNN_MNIST_DATA", str(tmp_path / "data"))
    assert load.load(name).name == "mnist"


@posix
@pytest.mark.usefixtures("source", "homeless")
def test_a_user_without_a_home_directory_or_data_is_told_what_to_set() -> None:
    assert load.find(SOURCES["mnist"]) is None
    with pytest.raises(DownloadError, match=r"no home directory.*--data-dir.*XDG_CACHE_HOME"):
        load.load("mnist")
    with pytest.warns(CnnMnistWarning, match="digits are used instead: there is no home"):
        assert load.load("auto").name == "digits"


@posix
@pytest.mark.usefixtures("source", "homeless")
def test_a_user_without_a_home_directory_is_told_of_a_damaged_file(
    idx_folder: Path, tmp_path: Path
) -> None:
    (put(idx_folder, tmp_path / "data") / f"{LABELS}.gz").write_bytes(b"damaged")
    with pytest.raises(DataError, match=LABELS):
        load.load("mnist", tmp_path / "data")


@pytest.fixture
def hidden(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Return what hides a folder from this user, as another user's home directory is."""
    stat, access = Path.stat, os.access
    folders: list[Path] = []

    def is_hidden(path: Path) -> bool:
        return any(folder in (path, *path.parents) for folder in folders)

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if is_hidden(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    monkeypatch.setattr(os, "access", lambda path, mode: not is_hidden(path) and access(path, mode))
    return folders.append


@pytest.mark.usefixtures("source")
def test_a_cache_in_another_user_s_home_directory_is_passed_over(
    idx_folder: Path, tmp_path: Path, hidden: Callable[[Path], None]
) -> None:
    put(idx_folder, fetch.cache_directory())
    put(idx_folder, tmp_path / "data")
    hidden(tmp_path / "cache")
    assert load.find(SOURCES["mnist"]) is None
    assert load.load("mnist", tmp_path / "data").name == "mnist"


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("folder", ["data", "data/mnist"])
def test_a_folder_of_the_user_that_may_not_be_read_is_named(
    idx_folder: Path, tmp_path: Path, hidden: Callable[[Path], None], folder: str
) -> None:
    put(idx_folder, tmp_path / "data")
    hidden(tmp_path / folder)
    for name, data_dir in (("auto", tmp_path / "data"), (str(tmp_path / "data" / "mnist"), None)):
        with pytest.raises(DataError, match=f"{tmp_path / 'data'}.* cannot be read: Permission"):
            load.load(name, data_dir)


@pytest.mark.usefixtures("source")
def test_auto_with_mnist_loads_it_without_a_warning(idx_folder: Path) -> None:
    put(idx_folder, fetch.cache_directory())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load.load("auto").name == "mnist"


@pytest.mark.usefixtures("source")
def test_mnist_never_falls_back_and_the_error_names_the_way_out() -> None:
    with pytest.raises(DownloadError, match="--data-dir D, or use --data digits"):
        load.load("mnist")


def test_a_folder_is_loaded_as_a_data_set_of_its_name(idx_folder: Path) -> None:
    dataset = load.load(str(idx_folder))
    assert dataset.name == "tiny"
    assert dataset.classes == 10
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 110,
        "validation": 10,
        "test": 30,
    }


@pytest.mark.parametrize("spelling", [0, 1, 2, 3])
def test_a_file_is_found_under_any_of_its_spellings(
    tiny_source: Source, idx_folder: Path, spelling: int
) -> None:
    before = load.load(str(idx_folder)).sha256
    for file in tiny_source.files:
        path = idx_folder / f"{file.name}.gz"
        values = idx.read(path)
        path.unlink()
        idx.write(idx_folder / file.spellings[spelling], values)
    assert load.load(str(idx_folder)).sha256 == before


@pytest.mark.parametrize("kind", ["images", "labels"])
def test_swapped_files_of_a_folder_are_reported_as_swapped(idx_folder: Path, kind: str) -> None:
    images, labels = (
        idx_folder / f"t10k-{name}-ubyte.gz" for name in ("images-idx3", "labels-idx1")
    )
    if kind == "images":
        shutil.copy(labels, images)
    else:
        shutil.copy(images, labels)
    with pytest.raises(DataError, match=f"t10k-{kind}.*swapped"):
        load.load(str(idx_folder))


def test_labels_of_the_other_split_are_refused_by_folder(idx_folder: Path) -> None:
    shutil.copy(idx_folder / "train-labels-idx1-ubyte.gz", idx_folder / f"{LABELS}.gz")
    with pytest.raises(DataError, match=f"{idx_folder}: 30 images have .120,. labels"):
        load.load(str(idx_folder))


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        DataError,
        match="'emnist': expected mnist, digits, qmnist, fashion-mnist, kmnist, auto, a folder of",
    ):
        load.load("emnist")


@pytest.mark.mnist
def test_the_true_mnist_is_split_55000_5000_10000(mnist_dir: Path) -> None:
    dataset = load.load("mnist", mnist_dir)
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 55_000,
        "validation": 5_000,
        "test": 10_000,
    }
    first = read_file(MNIST.files[0], mnist_dir / "mnist")[:5_000]
    np.testing.assert_array_equal(dataset.validation.images, first)
    assert dataset.validation.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert dataset.test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
