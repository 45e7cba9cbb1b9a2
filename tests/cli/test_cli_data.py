"""A user's own data: imported, trained on and predicted for by the command line."""

from pathlib import Path

import numpy as np
import pytest
from commands import invoke, refusal, result_of

from cnn_mnist import load
from cnn_mnist.data import digits, idx
from cnn_mnist.inference.model import BUNDLED, Model

TINY = ("--network", "softmax", "--steps", 2)


def pixels(path: Path, count: int, *, labels: bool) -> Path:
    """Write the first of the bundled test digits as a CSV file."""
    test = digits.load().test
    rows = [",".join([*(["label"] if labels else []), *(f"pixel{n}" for n in range(784))])]
    for image, label in zip(test.images[:count], test.labels, strict=False):
        rows.append(",".join(map(str, [*([label] if labels else []), *image.ravel()])))
    path.write_text("\n".join(rows))
    return path


def test_import_writes_the_same_data_set_with_its_class_names(
    pictures: Path, tmp_path: Path
) -> None:
    result = result_of("data", "import", pictures, tmp_path / "out", "--as-is")
    assert result["class_names"] == ["cat", "dog"]
    assert result["images"] == {"train": 18, "validation": 2, "test": 4}
    assert (tmp_path / "out" / "classes.txt").read_text() == "cat\ndog\n"
    assert load(str(tmp_path / "out")).sha256 == result["sha256"]
    assert load(str(pictures), as_is=True).sha256 == result["sha256"]
    assert idx.read(tmp_path / "out" / "train-images-idx3-ubyte").shape == (20, 28, 28)
    # the same once more is no loss; another one would be
    assert result_of("data", "import", pictures, tmp_path / "out", "--as-is") == result
    assert "holds another data set already" in refusal("data", "import", "digits", tmp_path / "out")
    assert "holds something else already" in refusal("data", "import", "digits", pictures)


def test_a_run_is_trained_on_pictures_and_knows_their_class_names(
    pictures: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    result = result_of("train", "--data", pictures, "--as-is", *TINY, "--run-dir", run)
    assert result["dataset"] == "pets"
    moved = pictures.rename(tmp_path / "moved")
    scored = result_of("evaluate", run, "--data", moved, "--as-is", "--split", "validation")
    assert scored["n"] == 2
    assert "SHA-256" in refusal("train", "--data", moved, *TINY, "--run-dir", run)


def test_a_source_with_a_fault_is_refused_by_every_verb(pictures: Path, tmp_path: Path) -> None:
    (pictures / "cow").mkdir()
    for command in (
        ("train", *TINY, "--run-dir", tmp_path / "r", "--data", pictures),
        ("trials", *TINY, "--run-dir", tmp_path / "r", "--data", pictures),
        ("evaluate", "--data", pictures),
        ("data", "import", pictures, tmp_path / "out"),
    ):
        assert "cow holds no picture" in refusal(*command)
    assert not (tmp_path / "r").exists()


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    assert "expected mnist, digits, qmnist, fashion-mnist, kmnist, auto, a folder" in refusal(
        "data", "import", "nothing", "out"
    )


def test_predict_reads_a_csv_file_of_pixels_as_an_array(tmp_path: Path) -> None:
    path = pixels(tmp_path / "test.csv", 5, labels=False)
    np.save(tmp_path / "test.npy", digits.load().test.images[:5])
    from_csv, from_npy = (
        result_of("predict", tmp_path / name)["images"] for name in ("test.csv", "test.npy")
    )
    assert [image["file"] for image in from_csv] == [f"{path}#{number}" for number in range(5)]
    assert [i["digits"] for i in from_csv] == [i["digits"] for i in from_npy]


@pytest.mark.parametrize("labels", [False, True])
def test_predict_writes_a_submission_for_kaggle(tmp_path: Path, labels: bool) -> None:
    path, out = pixels(tmp_path / "test.csv", 297, labels=labels), tmp_path / "submission.csv"
    assert result_of("predict", path, "--out", out) == {"path": str(out), "n": 297}
    header, *rows = out.read_text().splitlines()
    assert header == "ImageId,Label"
    assert [row.split(",")[0] for row in rows] == [str(number) for number in range(1, 298)]
    _, probabilities = Model(BUNDLED).predict(digits.load().test.images)
    assert [int(row.split(",")[1]) for row in rows] == probabilities.argmax(axis=1).tolist()


def test_a_submission_is_of_one_csv_file_and_whole_or_not_there(tmp_path: Path) -> None:
    path, out = pixels(tmp_path / "test.csv", 3, labels=False), tmp_path / "submission.csv"
    for files in ((path, path), (tmp_path / "test.npy",)):
        assert "--out writes a submission" in refusal("predict", *files, "--out", out, exit_code=2)
    path.write_text(path.read_text() + "\n1,2,3")
    assert "row 5: 3 values, expected 784" in refusal("predict", path, "--out", out)
    assert not out.exists()


def test_data_list_shows_every_data_set_with_its_licence() -> None:
    text = invoke("data", "list").stdout
    for name in ("mnist", "digits", "qmnist", "fashion-mnist", "kmnist"):
        assert f"\n{name} " in f"\n{text}"


def test_verify_says_which_file_has_no_checksum(tmp_path: Path) -> None:
    folder = tmp_path / "KMNIST" / "raw"
    folder.mkdir(parents=True)
    for split in ("train", "t10k"):
        idx.write(folder / f"{split}-images-idx3-ubyte", np.zeros((3, 28, 28), np.uint8))
        idx.write(folder / f"{split}-labels-idx1-ubyte", np.zeros(3, np.uint8))
    text = invoke("data", "verify", "kmnist", "--data-dir", tmp_path).stdout
    assert text.count("readable, no checksum is known") == 4
    idx.write(folder / "t10k-labels-idx1-ubyte.gz", np.zeros(3, np.uint8))
    (folder / "t10k-labels-idx1-ubyte").unlink()
    assert "is not the expected file" in refusal("data", "verify", "kmnist", "--data-dir", tmp_path)
