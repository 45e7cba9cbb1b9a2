"""The sheet of mistakes: all of them drawn, the worst first."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_mnist.data.dataset import Split
from cnn_mnist.errors import ExportError
from cnn_mnist.evaluation.mistake_sheet import draw_mistakes, worst_mistakes

LOGITS = np.array([[4, 0, 0], [0, 9, 0], [0, 1, 0], [2, 2.5, 0]], np.float32)
LABELS = np.array([0, 2, 0, 0], np.uint8)
NAMES = ("0", "1", "2")


def split() -> Split:
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28), dtype=np.uint8)
    return Split(images, LABELS)


def test_the_image_whose_label_is_least_probable_comes_first() -> None:
    mistakes = worst_mistakes(LOGITS, LABELS)
    assert [(m.index, m.label, m.prediction) for m in mistakes] == [(1, 2, 1), (2, 0, 1), (3, 0, 1)]
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    for mistake in mistakes:
        row = probabilities[mistake.index]
        assert mistake.probability == pytest.approx(row[mistake.prediction])
        assert mistake.label_probability == pytest.approx(row[mistake.label])


def test_no_more_than_asked_for() -> None:
    assert [mistake.index for mistake in worst_mistakes(LOGITS, LABELS, most=1)] == [1]


def test_every_mistake_is_drawn_as_it_was_written(tmp_path: Path) -> None:
    draw_mistakes(worst_mistakes(LOGITS, LABELS), split(), tmp_path / "sheet.png", NAMES)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png").convert("L"))
    first = sheet[8:120, 8:120][2::4, 2::4]  # dark on light, each pixel 4x4
    np.testing.assert_array_equal(first, 255 - split().images[1])
    captions = sheet[122:, :]
    assert all((captions[:, x : x + 128] < 128).any() for x in (0, 128, 256))


def test_a_sheet_without_any_mistake_says_so(tmp_path: Path) -> None:
    draw_mistakes([], split(), tmp_path / "sheet.png", NAMES)
    assert (np.asarray(Image.open(tmp_path / "sheet.png").convert("L")) < 128).any()


def test_a_sheet_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=rf"nowhere{os.sep}sheet\.png cannot be written"):
        draw_mistakes([], split(), tmp_path / "nowhere" / "sheet.png", NAMES)


def test_long_class_names_get_wider_places_up_to_a_limit(tmp_path: Path) -> None:
    widths = []
    for names in (NAMES, ("ankle boot", "T-shirt/top", "sandal"), ("x" * 16,) * 3, ("x" * 64,) * 3):
        draw_mistakes(worst_mistakes(LOGITS, LABELS), split(), tmp_path / "sheet.png", names)
        with Image.open(tmp_path / "sheet.png") as sheet:
            widths.append(sheet.width)
    assert widths[0] == 3 * 128 < widths[1] < widths[2]
    assert widths[3] <= widths[2] + 3 * 20
