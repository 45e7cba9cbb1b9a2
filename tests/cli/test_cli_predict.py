"""Test `cnn-mnist predict`."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import invoke, refusal, result_of
from PIL import Image

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
    ]
    assert row[:3] == [str(seven), "1", "7"]
    assert 0.5 < float(row[3]) <= 1
    assert row[-1] == ""
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
