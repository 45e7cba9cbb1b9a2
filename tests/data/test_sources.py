"""Every form in which a user brings a data set is read; what is wrong in it is named in a line."""

import gzip
import struct
import warnings
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits

from cnn_mnist import load, read
from cnn_mnist.data import digits as bundled_digits
from cnn_mnist.data import idx
from cnn_mnist.data.catalog import KMNIST, QMNIST
from cnn_mnist.data.csv_file import read_csv
from cnn_mnist.data.dataset import Dataset
from cnn_mnist.errors import CnnMnistWarning, DataError

Array = npt.NDArray[np.uint8]
COUNTS = {"train": 165, "validation": 15, "test": 30}


@pytest.fixture(scope="module")
def digits() -> tuple[Array, Array, Array, Array]:
    """180 training and 30 test digits of scikit-learn, 28x28, and their labels."""
    whole = bundled_digits.load()
    train, test = whole.train, whole.test
    return train.images[:180], train.labels[:180], test.images[:30], test.labels[:30]


@pytest.fixture
def write(tmp_path: Path, digits: tuple[Array, ...]) -> Callable[..., Path]:
    """Return what writes the digits as IDX files of given names into a folder."""

    def write(
        folder: str, *names: str, arrays: tuple[Array, ...] = digits, suffix: str = "-ubyte"
    ) -> Path:
        path = tmp_path / folder
        path.mkdir(parents=True, exist_ok=True)
        for name, values in zip(names or IDX_NAMES, arrays, strict=True):
            (path / name).parent.mkdir(exist_ok=True)
            idx.write(path / f"{name}{suffix}", values)
        return path

    return write


IDX_NAMES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


def emnist_names(name: str) -> list[str]:
    return [
        f"emnist-{name}-{split}-{kind}"
        for split in ("train", "test")
        for kind in ("images-idx3", "labels-idx1")
    ]


def counts(dataset: Dataset) -> dict[str, int]:
    return {name: len(split) for name, split in dataset.splits.items()}


def refusal(name: object, **options: bool) -> str:
    """Return why a data set is refused, which must be one line."""
    with pytest.raises(DataError) as caught:
        load(str(name), **options)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


# IDX, as torchvision, Kaggle and others lay the files


@pytest.mark.parametrize("layout", ["{}/MNIST/raw", "{}/raw", "{}"])
def test_the_raw_folder_of_torchvision_is_found_from_the_folders_above_it(
    write: Callable[..., Path], tmp_path: Path, layout: str
) -> None:
    plain = load(str(write("plain")))
    write(layout.format("root"))
    dataset = load(str(tmp_path / "root"))
    assert (counts(dataset), dataset.sha256) == (COUNTS, plain.sha256)


def test_class_names_of_torchvisions_fashion_mnist_are_known(write: Callable[..., Path]) -> None:
    dataset = load(str(write("root/FashionMNIST/raw")))
    assert dataset.name == "FashionMNIST"
    assert dataset.class_names[0] == "T-shirt/top"


def test_of_several_data_sets_below_a_folder_one_must_be_chosen(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    write("root/MNIST/raw")
    write("root/KMNIST/raw")
    message = refusal(tmp_path / "root")
    assert "choose one of" in message
    assert str(tmp_path / "root" / "KMNIST" / "raw") in message


@pytest.mark.parametrize("dotted", [False, True])
def test_kaggles_folders_that_are_called_as_the_files_are_opened(
    write: Callable[..., Path], dotted: bool
) -> None:
    names = [name.replace("-idx", ".idx") if dotted else name for name in IDX_NAMES]
    folder = write("archive", *(f"{name}-ubyte/{name}" for name in names))
    assert load(str(folder)).sha256 == load(str(write("plain"))).sha256


def test_a_folder_called_as_a_data_set_of_the_catalogue_gets_another_name(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mnist", "digits", "qmnist", "MNIST"):
        assert load(str(write(name))).name == f"{name}-folder"
    monkeypatch.chdir(tmp_path)
    assert load("digits").sha256 == bundled_digits.load().sha256
    assert load("./digits").name == "digits-folder"


def test_another_count_of_labels_than_images_is_refused_by_folder(
    write: Callable[..., Path], digits: tuple[Array, ...]
) -> None:
    images, labels, *test = digits
    folder = write("folder", arrays=(images, labels[:-1], *test))
    assert refusal(folder) == f"{folder}: 180 images have (179,) labels"


def test_a_folder_of_no_known_form_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    assert "is not a data set: expected a folder of pictures" in refusal(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    assert "is not a data set" in refusal(tmp_path / "notes.txt")


# images of another size, and on light paper


def test_images_of_another_size_are_brought_into_mnists_form_with_a_warning(
    write: Callable[..., Path], digits: tuple[Array, ...]
) -> None:
    large = tuple(
        np.kron(np.pad(array, ((0, 0), (9, 1), (0, 3))), np.ones((1, 2, 2), np.uint8))
        if array.ndim == 3
        else array
        for array in digits
    )
    folder = write("large", arrays=large)
    with pytest.warns(CnnMnistWarning, match="images of 76x62 pixels, not 28x28, are brought"):
        dataset = load(str(folder))
    rows = np.flatnonzero(dataset.test.images[0].any(axis=1))
    assert 19 <= rows[-1] - rows[0] + 1 <= 20
    assert abs(dataset.test.images.astype(float) - digits[2]).mean() < 12
    with pytest.warns(CnnMnistWarning, match="are resized"):
        as_is = load(str(folder), as_is=True)
    assert not as_is.test.images[:, :2].any()  # the margin above the digit stays


def test_light_paper_is_inverted_with_a_warning_or_kept_as_it_is(
    write: Callable[..., Path], digits: tuple[Array, ...]
) -> None:
    dark = load(str(write("dark")))
    light = write("light", arrays=(255 - digits[0], digits[1], 255 - digits[2], digits[3]))
    with pytest.warns(CnnMnistWarning, match="light paper is inverted"):
        assert load(str(light)).sha256 == dark.sha256
    assert (load(str(light), as_is=True).test.images == 255 - dark.test.images).all()


# CSV


HEADER = "label," + ",".join(f"pixel{n}" for n in range(784))


def csv_rows(images: Array, labels: Array | None) -> list[str]:
    rows = [",".join(map(str, image.ravel())) for image in images]
    if labels is None:
        return rows
    return [f"{label},{row}" for label, row in zip(labels, rows, strict=True)]


@pytest.mark.parametrize("header", [None, HEADER, HEADER.replace("pixel", "1x"), "last"])
def test_a_csv_file_is_read_with_any_usual_header(
    tmp_path: Path, digits: tuple[Array, ...], header: str | None
) -> None:
    images, labels = digits[:2]
    rows = csv_rows(images, labels)
    if header == "last":  # as OpenML has it
        rows = [f"{row},{label}" for row, label in zip(csv_rows(images, None), labels, strict=True)]
        header = ",".join([*(f"pixel{n + 1}" for n in range(784)), "class"])
    path = tmp_path / "train.csv"
    path.write_text("\ufeff" + "\r\n".join(([header] if header else []) + rows) + "\r\n\r\n")
    read_images, read_labels = read_csv(path)
    np.testing.assert_array_equal(read_images, images)
    np.testing.assert_array_equal(read_labels, labels)


def test_of_one_csv_file_a_seeded_stratified_sixth_is_the_test_split(
    tmp_path: Path, digits: tuple[Array, ...]
) -> None:
    path = tmp_path / "train.csv"
    path.write_text("\n".join([HEADER, *csv_rows(*digits[:2])]))
    dataset = load(str(path))
    assert (dataset.name, counts(dataset)) == (
        "train.csv",
        {"train": 138, "validation": 12, "test": 30},
    )
    assert set(dataset.test.labels) == set(range(10))
    assert load(str(path)).sha256 == dataset.sha256


@pytest.mark.parametrize("names", ["mnist_train.csv mnist_test.csv", "train.csv test.csv"])
def test_a_folder_with_two_csv_files_is_read(
    tmp_path: Path, digits: tuple[Array, ...], write: Callable[..., Path], names: str
) -> None:
    train, test = names.split()
    (tmp_path / train).write_text("\n".join(csv_rows(*digits[:2])))
    (tmp_path / test).write_text("\n".join(csv_rows(*digits[2:])))
    assert load(str(tmp_path)).sha256 == load(str(write("plain"))).sha256


def test_a_test_file_without_labels_is_not_the_test_split(
    tmp_path: Path, digits: tuple[Array, ...]
) -> None:
    (tmp_path / "train.csv").write_text("\n".join([HEADER, *csv_rows(*digits[:2])]))
    (tmp_path / "test.csv").write_text("\n".join(csv_rows(digits[2], None)))
    assert counts(load(str(tmp_path)))["test"] == 30
    assert "has no column of labels" in refusal(tmp_path / "test.csv")


FAULTS: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "a missing column": (
        lambda rows: [row.rpartition(",")[0] for row in rows],
        "783 columns of pixels (pixel783 is missing): expected 784, and one called label",
    ),
    "a word": (
        lambda rows: [*rows[:4], rows[4].replace(",0,", ",none,", 1), *rows[5:]],
        "row 5, column pixel0: 'none' is not a whole number from 0 to 255",
    ),
    "a value that is too large": (
        lambda rows: [*rows[:4], "256" + rows[4][1:]],
        "row 5, column label: '256' is not a whole number",
    ),
    "a negative value": (lambda rows: [*rows[:2], "-1" + rows[2][1:]], "row 3, column label: '-1'"),
    "a torn row": (lambda rows: [*rows[:-1], rows[-1][:19]], "row 181: 10 values, expected 785"),
    "an endless row": (lambda rows: [rows[0] + "," * (1 << 16)], "row 1: longer than"),
    "nothing": (lambda rows: [], "is empty"),
    "other columns": (lambda rows: ["a,b", "1,2"], "2 columns of pixels: expected 784"),
    "few values": (lambda rows: ["1,2,3"], "has 3 columns: expected 784 pixels"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_csv_file_is_named_with_its_row(
    tmp_path: Path, digits: tuple[Array, ...], fault: str
) -> None:
    damage, expected = FAULTS[fault]
    path = tmp_path / "train.csv"
    path.write_text("\n".join(damage([HEADER, *csv_rows(*digits[:2])])))
    message = refusal(path)
    assert message.startswith(str(path))
    assert expected in message


# NPZ


def npz(path: Path, digits: tuple[Array, ...], **changes: npt.NDArray[np.generic] | None) -> Path:
    names = ("x_train", "y_train", "x_test", "y_test")
    arrays = dict(zip(names, digits, strict=True)) | changes
    np.savez_compressed(path, **{name: a for name, a in arrays.items() if a is not None})
    return path


@pytest.mark.parametrize("kind", ["uint8", "floats", "int64", "channels"])
def test_an_npz_file_is_read_in_any_usual_type(
    tmp_path: Path, digits: tuple[Array, ...], write: Callable[..., Path], kind: str
) -> None:
    images, labels = digits[0], digits[1]
    changes: dict[str, dict[str, npt.NDArray[np.generic]]] = {
        "uint8": {},
        "floats": {"x_train": images.astype(np.float32) / 255},
        "int64": {"x_train": images.astype(np.int64), "y_train": labels.astype(np.int64)},
        "channels": {"x_train": images[..., None], "y_train": labels[:, None]},
    }
    path = npz(tmp_path / "mnist.npz", digits, **changes[kind])
    dataset = load(str(path))
    assert (dataset.name, dataset.sha256) == ("mnist.npz", load(str(write("plain"))).sha256)
    assert dataset.train.images.flags.writeable


def test_an_npz_file_without_test_images_gives_a_sixth_of_its_own(
    tmp_path: Path, digits: tuple[Array, ...]
) -> None:
    path = npz(tmp_path / "mnist.npz", digits, x_test=None, y_test=None)
    assert counts(load(str(path)))["test"] == 30


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"y_train": None}, "has no array y_train"),
        ({"x_train": np.zeros((180, 28, 28, 3), np.uint8)}, "expected grey images"),
        ({"x_train": np.full((180, 28, 28), 200.0)}, "floats from 200.0 to 200.0"),
        ({"x_train": np.full((180, 28, 28), np.nan)}, "floats from nan"),
        ({"y_train": np.eye(180, dtype=np.uint8)}, "expected a class number for each image"),
        ({"y_train": np.arange(180) * 2}, "labels from 0 to 358: expected 0 to 255"),
        ({"y_train": np.linspace(0, 1, 180)}, "expected labels as whole numbers"),
        ({"y_train": np.zeros(3, np.uint8)}, "180 images have (3,) labels"),
        ({"x_train": np.zeros((0, 28, 28), np.uint8), "y_train": np.zeros(0, np.uint8)}, "one"),
        ({"y_train": np.array(["a"] * 180, object)}, "Python objects, which are never loaded"),
    ],
)
def test_a_fault_of_an_npz_file_is_named(
    tmp_path: Path, digits: tuple[Array, ...], changes: dict[str, object], expected: str
) -> None:
    path = npz(tmp_path / "mnist.npz", digits, **changes)  # type: ignore[arg-type]
    message = refusal(path)
    assert message.startswith(str(path))
    assert expected in message


def test_what_an_npz_file_announces_is_checked_before_it_is_read(tmp_path: Path) -> None:
    header = BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"shape": (1 << 40, 28, 28), "fortran_order": False, "descr": "|u1"}
    )
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("x_train", "y_train"):
            archive.writestr(f"{name}.npy", header.getvalue() + bytes(1 << 20))
    assert "larger than the limit of 1,024 MiB" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"hello", bytes(100)])
def test_what_is_not_an_npz_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    assert f"{path} is not an NPZ file, or is damaged" in refusal(path)


def test_a_damaged_npz_file_is_refused(tmp_path: Path, digits: tuple[Array, ...]) -> None:
    path = npz(tmp_path / "mnist.npz", digits)
    content = bytearray(path.read_bytes())
    content[5_000:5_100] = bytes(100)
    path.write_bytes(content)
    assert f"{path} is not an NPZ file, or is damaged" in refusal(path)


# EMNIST and QMNIST


def on_its_side(arrays: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(a.transpose(0, 2, 1) if a.ndim == 3 else a for a in arrays)


def test_emnist_is_turned_upright(write: Callable[..., Path], digits: tuple[Array, ...]) -> None:
    folder = write("gzip", *emnist_names("digits"), arrays=on_its_side(digits), suffix="-ubyte.gz")
    dataset = load(str(folder))
    assert dataset.name == "emnist-digits"
    np.testing.assert_array_equal(dataset.test.images, digits[2])
    assert load(str(folder.parent)).sha256 == dataset.sha256


def test_labels_of_emnists_letters_start_at_a(
    write: Callable[..., Path], digits: tuple[Array, ...]
) -> None:
    images, labels, test_images, test_labels = digits
    letters = (images, labels + 1, test_images, test_labels + 1)
    folder = write("emnist", *emnist_names("letters"), arrays=letters)
    dataset = load(str(folder))
    assert dataset.class_names == tuple("abcdefghijklmnopqrstuvwxyz")
    np.testing.assert_array_equal(dataset.test.labels, test_labels)
    write("emnist", *emnist_names("letters"), arrays=digits)
    assert "has labels from 0 to 9: expected 1 to 26" in refusal(folder)


def test_of_several_sets_of_emnist_one_is_chosen_after_a_colon(
    write: Callable[..., Path],
) -> None:
    for name in ("digits", "balanced"):
        folder = write("emnist", *emnist_names(name))
    assert f"choose one of {folder}:balanced, {folder}:digits" in refusal(folder)
    assert load(f"{folder}:balanced").classes == 47
    assert load(f"{folder.parent}/emnist:balanced").class_names[36:38] == ("a", "b")
    assert "emnist-letters-train-images-idx3-ubyte[.gz] is missing" in refusal(f"{folder}:letters")


def write_int32(path: Path, values: npt.NDArray[np.int32]) -> None:
    header = struct.pack(f">HBB{values.ndim}I", 0, 12, values.ndim, *values.shape)
    path.write_bytes(gzip.compress(header + values.astype(">i4").tobytes()))


def test_labels_of_qmnist_are_the_first_of_eight_columns(
    tmp_path: Path, digits: tuple[Array, ...], write: Callable[..., Path]
) -> None:
    folder = tmp_path / "QMNIST" / "raw"
    folder.mkdir(parents=True)
    for file, values in zip(QMNIST.files, digits, strict=True):
        if values.ndim == 3:
            idx.write(folder / f"{file.name}.gz", values)
        else:
            table = np.full((len(values), 8), 70_000, np.int32)
            table[:, 0] = values
            write_int32(folder / f"{file.name}.gz", table)
    # of other files than the published ones: not those of the catalogue
    assert "is not the expected file: MD5" in refusal(folder)
    for file in QMNIST.files:
        path = folder / f"{file.name}.gz"
        (folder / file.name).write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    dataset = load(str(folder.parent))
    assert dataset.name == "QMNIST-folder"
    assert dataset.sha256 == load(str(write("plain"))).sha256


def test_a_data_set_by_name_is_found_in_torchvisions_layout_and_verified(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    write("data/KMNIST/raw")
    dataset = load("kmnist", tmp_path / "data")
    assert (dataset.name, dataset.class_names) == ("kmnist", KMNIST.class_names)
    write("data/kmnist", suffix="-ubyte.gz")
    with pytest.raises(DataError, match=r"kmnist/train-images-idx3-ubyte.gz is not the expected"):
        load("kmnist", tmp_path / "data")


# pictures


def draw(image: Array, path: Path, size: int = 120) -> None:
    """Write a digit as dark ink on a sheet of light paper."""
    path.parent.mkdir(parents=True, exist_ok=True)
    large = Image.fromarray(255 - image).resize((size, size), Image.Resampling.BICUBIC)
    sheet = Image.new("L", (size + 60, size + 40), 235)
    sheet.paste(large.point(lambda level: min(level, 235)), (30, 20))
    sheet.save(path)


@pytest.fixture
def pictures(tmp_path: Path, digits: tuple[Array, ...]) -> Path:
    """30 pictures of ones, sevens and zeros in a folder for each."""
    images, labels = digits[:2]
    for digit in (0, 1, 7):
        for number, index in enumerate(np.flatnonzero(labels == digit)[:10]):
            suffix = ("png", "JPG", "bmp")[number % 3]
            draw(images[index], tmp_path / "mine" / str(digit) / f"{number}.{suffix}")
    return tmp_path / "mine"


def test_a_folder_of_pictures_by_class_is_read_into_mnists_form(pictures: Path) -> None:
    dataset = load(str(pictures))
    assert dataset.class_names == ("0", "1", "7")
    assert sum(counts(dataset).values()) == 30
    assert counts(dataset)["test"] == 5
    assert set(dataset.validation.labels) == {0, 1, 2}
    for image in dataset.train.images:
        height, width = (np.ptp(np.flatnonzero(image.any(axis=axis))) + 1 for axis in (1, 0))
        assert 18 <= max(height, width) <= 22
        assert not image[[0, -1]].any()
    moved = pictures.rename(pictures.with_name("moved"))
    assert load(str(moved)).sha256 == dataset.sha256


def test_train_and_test_folders_are_the_splits(pictures: Path) -> None:
    (pictures.parent / "split").mkdir()
    train = pictures.rename(pictures.parent / "split" / "train")
    for path in sorted((train / "7").iterdir())[:3]:
        (train.parent / "test" / "7").mkdir(parents=True, exist_ok=True)
        path.rename(train.parent / "test" / "7" / path.name)
    (train.parent / "val" / "7").mkdir(parents=True)
    with pytest.warns(CnnMnistWarning, match="val is not read"):
        dataset = load(str(train.parent))
    assert dataset.name == "split"
    assert dataset.test.labels.tolist() == [2, 2, 2]
    (train.parent / "test" / "8").mkdir()
    with pytest.warns(CnnMnistWarning, match="val is not read"):
        assert "8: the class is not in" in refusal(train.parent)


def test_a_picture_without_one_digit_is_named_and_left_out(
    pictures: Path, digits: tuple[Array, ...]
) -> None:
    before = counts(load(str(pictures)))
    (pictures / "7" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    Image.new("L", (100, 100), 255).save(pictures / "7" / "blank.png")
    two = Image.new("L", (260, 110), 255)
    for number in (0, 1):
        image = Image.fromarray(255 - digits[0][number]).resize((84, 84))
        two.paste(image, (20 + number * 130, 10))
    two.save(pictures / "1" / "two.png")
    (pictures / "7" / "notes.txt").write_text("mine")
    (pictures / "7" / "._3.png").write_bytes(b"of macOS")
    (pictures / ".hidden").mkdir()
    with pytest.warns(CnnMnistWarning) as warned:
        dataset = load(str(pictures))
    assert counts(dataset) == before
    (message,) = [str(warning.message) for warning in warned]
    assert "4 files are left out: " in message
    assert "; and" not in message
    assert "and 1 more" in message
    assert "notes.txt is not a picture" in message


def test_a_refused_candidate_counts_where_it_is_the_only_one(tmp_path: Path) -> None:
    for name, bar in (("A", True), ("V", False)):
        for number in range(9):
            sheet = Image.new("L", (100, 100), 255)
            pen = ImageDraw.Draw(sheet)
            ends = [(25, 80 - number), (48, 20), (72, 80 - number)]
            pen.line(ends if bar else [(x, 100 - y) for x, y in ends], 0, 6)
            if bar:
                pen.line([(35, 58), (62, 58)], 0, 6)
            path = tmp_path / "letters" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            sheet.save(path)
            assert read(path).text == ""
    assert sum(counts(load(str(tmp_path / "letters"))).values()) == 18


def test_pictures_as_they_are_keep_light_and_dark_and_their_aspect(tmp_path: Path) -> None:
    for name, colour in (("shirt", (200, 0, 0)), ("bag", (0, 200, 0))):
        for number in range(9):
            picture = Image.new("RGB", (56, 28), (250, 250, 250))
            picture.paste(colour, (14, 7, 42, 21 - number))
            path = tmp_path / "clothes" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = load(str(tmp_path / "clothes"), as_is=True)
    assert dataset.class_names == ("bag", "shirt")
    assert dataset.train.images.shape[1:] == (28, 28)
    assert (dataset.train.images[:, [0, 6, -1], 0] == 250).all()  # paper, also where it was padded
    assert {60, 117} == {int(image[11, 10]) for image in dataset.train.images}


def test_class_folders_with_numbers_are_in_the_order_of_these(pictures: Path) -> None:
    (pictures / "1").rename(pictures / "10")
    assert load(str(pictures)).class_names == ("0", "7", "10")


def test_a_folder_of_pictures_with_a_fault_is_refused_in_a_line(
    pictures: Path, tmp_path: Path
) -> None:
    (pictures / "8").mkdir()
    assert f"{pictures / '8'} holds no picture: put some there (.png" in refusal(pictures)
    (pictures / "8" / "a.png").write_bytes(b"broken")
    message = refusal(pictures)
    assert f"{pictures / '8'} has no picture that can be used: " in message
    (pictures / "8" / "a.png").unlink()
    (pictures / "8").rmdir()
    assert "has only one class folder, mine" in refusal(tmp_path)
    assert "has no class folders: put the pictures of each class" in refusal(pictures / "7")
    pictures.rename(tmp_path / "test")
    assert "has no folder train beside it" in refusal(tmp_path)


def test_scikit_learns_digits_as_8x8_arrays_are_enlarged(tmp_path: Path) -> None:
    bunch = load_digits()
    images = (bunch.images * 15).astype(np.uint8)
    path = tmp_path / "small.npz"
    np.savez(path, x_train=images, y_train=bunch.target)
    with pytest.warns(CnnMnistWarning, match="images of 8x8 pixels"):
        dataset = load(str(path))
    assert sum(counts(dataset).values()) == 1797
    assert len(set(dataset.validation.labels)) == 10


@pytest.mark.mnist
def test_mnist_has_one_hash_in_every_form(mnist_dir: Path, tmp_path: Path) -> None:
    mnist = load("mnist", mnist_dir)
    folder = load(str(mnist_dir / "mnist"))
    assert (folder.name, folder.sha256) == ("mnist-folder", mnist.sha256)
