"""Test `cnn-mnist predict`."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import linear_model
import numpy as np
import pytest
from commands import invoke, refusal, result_of
from PIL import Image, ImageDraw

from cnn_mnist.data import digits, idx


@pytest.fixture
def seven(tmp_path: Path) -> Path:
    """An image of a test digit, dark on white, on a larger canvas."""
    test = digits.load().test
    image = test.images[list(test.labels).index(7)]
    canvas = np.full((200, 300), 255, np.uint8)
    canvas[40:152, 100:212] = 255 - image.repeat(4, axis=0).repeat(4, axis=1)
    path = tmp_path / "seven.png"
    Image.fromarray(canvas).save(path)
    return path


def test_predict_reads_files_folders_arrays_and_standard_input(
    trained_run: tuple[Path, Any], seven: Path, tmp_path: Path
) -> None:
    arrays = tmp_path / "digits.npy"
    np.save(arrays, digits.load().test.images[:5])
    result = result_of("predict", "--model", trained_run[0], seven, seven.parent, arrays)
    files = [image["file"] for image in result["images"]]
    assert files == [str(seven), str(seven), *(f"{arrays}#{number}" for number in range(5))]
    digit = result["images"][0]["digits"][0]
    assert result["images"][0]["text"] == "7"
    assert digit["class"] == 7
    assert digit["probability"] == max(digit["probabilities"])
    assert sum(digit["probabilities"]) == pytest.approx(1, abs=1e-5)
    left, top, right, bottom = digit["box"]
    assert 100 <= left < right <= 212
    assert 40 <= top < bottom <= 152
    stdin = result_of("predict", "--model", trained_run[0], "-", stdin=seven.read_bytes())
    assert stdin["images"][0]["text"] == "7"


def test_predict_prints_a_table_for_people(trained_run: tuple[Path, Any], seven: Path) -> None:
    head, row = invoke("predict", "--model", trained_run[0], seven).stdout.splitlines()
    assert head.split() == ["file", "text", "probabilities"]
    assert row.split()[:2] == [str(seven), "7"]
    assert row.endswith("%")


def test_predict_prints_csv_with_a_line_for_each_digit(
    trained_run: tuple[Path, Any], seven: Path
) -> None:
    head, row = csv.reader(
        invoke("predict", "--model", trained_run[0], "--csv", seven).stdout.splitlines()
    )
    assert head == [
        "file",
        "line",
        "class",
        "probability",
        "left",
        "top",
        "right",
        "bottom",
        "reason",
        "sign",
    ]
    assert row[:3] == [str(seven), "1", "7"]
    assert 0.5 < float(row[3]) <= 1
    assert row[-2:] == ["", ""]
    assert invoke("predict", "--csv", "--json", seven).exit_code == 2


def test_predict_expands_a_pattern_that_the_shell_did_not_expand(
    trained_run: tuple[Path, Any], seven: Path, tmp_path: Path
) -> None:
    for name in ("b.png", "a.png"):
        (tmp_path / name).write_bytes(seven.read_bytes())
    result = result_of("predict", "--model", trained_run[0], tmp_path / "[ab].png")
    assert [image["file"] for image in result["images"]] == [
        str(tmp_path / name) for name in ("a.png", "b.png")
    ]
    nothing = invoke("predict", "--model", trained_run[0], tmp_path / "*.gif")
    assert nothing.exit_code == 3
    assert "*.gif" in nothing.stderr


def test_predict_prints_a_line_for_each_row_of_digits(
    trained_run: tuple[Path, Any], seven: Path, tmp_path: Path
) -> None:
    above = Image.open(seven).convert("L")
    page = Image.new("L", (above.width, 2 * above.height), above.getpixel((0, 0)))
    page.paste(above, (0, 0))
    page.paste(above, (0, above.height))
    page.save(tmp_path / "two.png")
    run = ("predict", "--model", trained_run[0], tmp_path / "two.png")
    assert result_of(*run)["images"][0]["text"] == "77"
    assert result_of(*run, "--lines")["images"][0]["text"] == "7\n7"
    _, first, second = invoke(*run, "--lines").stdout.splitlines()
    assert first.split()[1] == second.strip() == "7"


def test_predict_draws_how_one_image_was_read(
    trained_run: tuple[Path, Any], seven: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.png"
    run = ("predict", "--model", trained_run[0], "--explain", sheet)
    assert invoke(*run, seven).exit_code == 0
    with Image.open(sheet) as drawn:
        assert drawn.format == "PNG"
        assert drawn.width == 960
    assert invoke(*run, seven, seven).exit_code == 2
    assert "cannot be written" in refusal(
        "predict", "--model", trained_run[0], "--explain", tmp_path / "no" / "x.png", seven
    )


def test_predict_reports_a_bad_file_then_reads_the_others_and_exits_3(
    trained_run: tuple[Path, Any], seven: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"not an image")
    result = invoke("predict", "--model", trained_run[0], bad, seven, "--json")
    assert result.exit_code == 3
    assert str(bad) in result.stderr
    answer = json.loads(result.stdout.splitlines()[-1])
    assert [image["text"] for image in answer["images"]] == ["7"]
    assert [error["file"] for error in answer["errors"]] == [str(bad)]


def test_predict_returns_the_whole_batches_of_a_truncated_array(
    trained_run: tuple[Path, Any], tmp_path: Path
) -> None:
    arrays = tmp_path / "images.idx"
    idx.write(arrays, np.tile(digits.load().test.images[:1], (300, 1, 1)))
    arrays.write_bytes(arrays.read_bytes()[:-1])
    result = invoke("predict", "--model", trained_run[0], arrays, "--json")
    assert result.exit_code == 3
    answer = json.loads(result.stdout)
    assert len(answer["images"]) == 256  # the whole batches
    assert "truncated" in answer["errors"][0]["error"]


def test_predict_repeats_the_header_in_a_long_table(
    trained_run: tuple[Path, Any], tmp_path: Path
) -> None:
    np.save(tmp_path / "many.npy", np.tile(digits.load().test.images[:1], (1001, 1, 1)))
    lines = invoke("predict", "--model", trained_run[0], tmp_path / "many.npy").stdout.splitlines()
    heads = [number for number, line in enumerate(lines) if line.startswith("file ")]
    assert heads == [0, 1001]
    assert len(lines) == 1003


# --- whatever a user names


def seven_png(path: Path) -> Path:
    """Write the image of a 7 that the bundled model reads."""
    page = Image.new("L", (60, 50), 255)
    ImageDraw.Draw(page).line([(20, 8), (38, 8), (26, 38)], 30, 4, joint="curve")
    page.save(path)
    return path


def texts(*args: object) -> dict[str, str]:
    """Return the text of each image, by its name below the folder of the test."""
    return {Path(each["file"]).name: each["text"] for each in result_of("predict", *args)["images"]}


def test_predict_reads_each_page_as_an_image_of_its_own(tmp_path: Path) -> None:
    seven = Image.open(seven_png(tmp_path / "seven.png"))
    blank = Image.new("L", seven.size, 255)
    seven.save(tmp_path / "scan.tif", save_all=True, append_images=[blank, seven])
    blank.save(tmp_path / "drawn.gif", save_all=True, append_images=[seven])
    assert texts(tmp_path / "scan.tif", tmp_path / "drawn.gif") == {
        "scan.tif#1": "7",
        "scan.tif#2": "",
        "scan.tif#3": "7",
        "drawn.gif#1": "",
        "drawn.gif#2": "7",
    }
    sheet = ("--explain", tmp_path / "sheet.png")
    assert "several pages" in refusal("predict", tmp_path / "scan.tif", *sheet)


@pytest.mark.parametrize("names", [(), ("notes.txt",), ("._a.png",), ("folder.png/",)])
def test_predict_says_that_a_folder_holds_no_image(names: tuple[str, ...], tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in names:
        (folder / name).mkdir() if name.endswith("/") else (folder / name).touch()
    assert f"{folder} holds no image: expected .png" in refusal("predict", folder)


def test_predict_names_each_heic_photo_of_a_folder_where_the_extra_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(20))
    assert "IMG_1.HEIC, a HEIC image, needs pillow_heif" in refusal("predict", tmp_path)


def test_predict_skips_the_companions_that_macos_writes(tmp_path: Path) -> None:
    seven_png(tmp_path / "a.png")
    (tmp_path / "._a.png").write_bytes(b"\0\5\x16\7")
    assert texts(tmp_path) == texts(tmp_path / "*.png") == {"a.png": "7"}


def test_predict_takes_a_picture_by_its_suffix_and_an_array_in_upper_case(tmp_path: Path) -> None:
    seven_png(tmp_path / "ubyte-scan.png")
    with (tmp_path / "A.NPY").open("wb") as stream:
        np.save(stream, digits.load().test.images[:2])
    assert list(texts(tmp_path / "ubyte-scan.png", tmp_path / "A.NPY")) == [
        *("ubyte-scan.png", "A.NPY#0", "A.NPY#1")
    ]


@pytest.mark.parametrize("name", ["pipe", "pipe.png", "pipe.npy", "pipe-idx3-ubyte"])
def test_predict_refuses_pipes_and_devices_by_name(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    for path in (tmp_path / name, Path("/dev/zero")):
        assert f"{path} cannot be read: it is not a regular file" in refusal("predict", path)


def test_predict_reads_standard_input_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_mnist.reading.decode.MAX_FILE_BYTES", 1000)
    result = invoke("predict", "-", stdin=bytes(5000))
    assert result.exit_code == 3
    assert "the input has more bytes than the limit of 1,000" in result.stderr


def test_predict_ends_quietly_when_its_reader_has_gone(tmp_path: Path) -> None:
    np.save(tmp_path / "many.npy", np.zeros((3000, 28, 28), np.uint8))
    for options in ((), ("--csv",), ("--json",)):
        command = [sys.executable, "-m", "cnn_mnist", "predict", *options, "many.npy"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, cwd=tmp_path, **pipes) as process:  # type: ignore[call-overload]
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 141  # as of a program that SIGPIPE ended


def test_predict_escapes_what_a_terminal_would_obey(tmp_path: Path) -> None:
    name = "a\x1b[31m\u202egnp.png"
    seven_png(tmp_path / name)
    for options in ((), ("--csv",)):
        output = invoke("predict", tmp_path / name, *options).stdout
        assert r"a\x1b[31m\u202egnp.png" in output
        assert not {"\x1b", "\u202e"} & set(output)
    assert list(texts(tmp_path / name)) == [name]  # JSON has an escape of its own
    (tmp_path / name).write_bytes(b"no image")
    assert r"a\x1b[31m\u202egnp.png is not an image" in refusal("predict", tmp_path / name)


@pytest.mark.parametrize("sign", "=+-@")
def test_predict_writes_no_csv_cell_that_a_spreadsheet_takes_for_a_formula(
    sign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    seven_png(Path(f"{sign}1.png"))
    _, row = csv.reader(invoke("predict", "--csv", "--", f"{sign}1.png").stdout.splitlines())
    assert row[0] == f"'{sign}1.png"


@pytest.mark.parametrize("classes", [2, 27])
def test_predict_takes_a_network_of_other_than_ten_classes(
    classes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear_model, "WEIGHTS", np.ones((28 * 28, classes), np.float32))
    model = linear_model.save(tmp_path / "model.onnx", shape=("batch", classes))
    seven = seven_png(tmp_path / "seven.png")
    sheet = tmp_path / "sheet.png"
    (image,) = result_of("predict", "--model", model, seven, "--explain", sheet)["images"]
    (digit,) = image["digits"]
    assert len(digit["probabilities"]) == classes
    assert digit["probabilities"][digit["class"]] == digit["probability"]
    assert image["text"] == str(digit["class"])
    with Image.open(sheet) as drawn:
        assert drawn.height > 200 + 10 * classes


def test_predict_gives_the_names_of_named_classes(tmp_path: Path) -> None:
    names = [*map(str, range(7)), "=seven", "ankle boot", "\N{CJK UNIFIED IDEOGRAPH-4E5D}"]
    metadata = {"class_names": json.dumps(names)}
    model = linear_model.save(tmp_path / "model.onnx", metadata=metadata)
    images, sheet = tmp_path / "two.npy", tmp_path / "sheet.png"
    np.save(images, linear_model.IMAGES[:9])
    classes = linear_model.expected(linear_model.IMAGES[:9]).argmax(axis=1)
    shown = [names[class_] for class_ in classes]
    assert "=seven" in shown
    result = result_of("predict", "--model", model, images)
    assert [image["text"] for image in result["images"]] == shown
    digits_ = [digit for image in result["images"] for digit in image["digits"]]
    assert [(digit["class"], digit["name"]) for digit in digits_] == list(
        zip(classes.tolist(), shown, strict=True)
    )
    assert all(name in invoke("predict", "--model", model, images).stdout for name in shown)
    head, *rows = csv.reader(
        invoke("predict", "--model", model, "--csv", images).stdout.splitlines()
    )
    assert head[-1] == "name"
    assert [row[-1].removeprefix("'") for row in rows] == shown
    assert "'=seven" in [row[-1] for row in rows], "a spreadsheet would take it for a formula"
    invoke("predict", "--model", model, seven_png(tmp_path / "seven.png"), "--explain", sheet)
    assert sheet.exists()
