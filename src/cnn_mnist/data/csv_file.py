"""Read images of 28x28 pixels from a CSV file, a row each: Kaggle's `train.csv` and its relatives.

With a header, the column `label` (or `class`) may stand anywhere, or be missing where only images
are wanted, and the other 784 columns are the pixels, row by row, whatever their names. Without a
header, a row has 784 pixels, and the label before them where it has 785 values.

Guarantee: memory does not grow with the file beyond the images themselves.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.data.raw_data import Images, Labels
from cnn_mnist.errors import DataError, os_errors_as

_PIXELS: Final = IMAGE_SIZE * IMAGE_SIZE
_LABEL_NAMES: Final = ("label", "class")
_BATCH_SIZE: Final = 1000
_MAX_LINE: Final = 1 << 16
"""Characters of a row; 785 values need less than 4,000."""


@dataclass(frozen=True)
class _Columns:
    """What stands where in a row."""

    count: int
    label: int | None
    """Which column holds the label; None where none does."""
    names: tuple[str, ...]
    """Of the header; empty where there is none."""


def read_csv(path: Path) -> tuple[Images, Labels]:
    """Read a file with labels.

    Returns:
        Images `(N, 28, 28)` and labels `(N,)`.

    Raises:
        DataError: it cannot be read, has no column of labels, another number of pixels, or in one
            row something else than whole numbers from 0 to 255; with the row and the column.
    """
    images, labels = [], []
    for image_batch, label_batch in csv_batches(path, _BATCH_SIZE):
        if label_batch is None:
            raise DataError(
                f"{path} has no column of labels: expected a header with label and {_PIXELS} "
                f"pixels, or rows of {_PIXELS + 1} values, the label first"
            )
        images.append(image_batch)
        labels.append(label_batch)
    return np.concatenate(images), np.concatenate(labels)


def has_labels(path: Path) -> bool:
    """Return whether a file has a column of labels.

    Raises:
        DataError: see `read_csv`.
    """
    return next(csv_batches(path, 1))[1] is not None


def csv_batches(path: Path, size: int) -> Iterator[tuple[Images, Labels | None]]:
    """Read a file some rows at a time.

    Yields:
        Images `(B, 28, 28)`, and their labels `(B,)` or None where the file has no labels; B is
        `size`, or less in the last batch, and at least 1.

    Raises:
        DataError: see `read_csv`; the rows before a bad one are yielded.
    """
    lines = _lines(path)
    first = next(lines, None)
    if first is None:
        raise DataError(f"{path} is empty: expected rows of {_PIXELS} pixels")
    columns = _columns(path, first[1])
    rows = [] if columns.names else [first]
    while rows := rows + list(islice(lines, size - len(rows))):
        values = _values(path, rows, columns)
        if columns.label is None:
            yield values.reshape(-1, IMAGE_SIZE, IMAGE_SIZE), None
        else:
            pixels = np.delete(values, columns.label, axis=1)
            yield pixels.reshape(-1, IMAGE_SIZE, IMAGE_SIZE), values[:, columns.label].copy()
        rows = []


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of each line that is not blank."""
    if path.exists() and not path.is_file():
        raise DataError(f"{path} cannot be read: it is not a regular file")
    with (
        os_errors_as(DataError, f"{path} cannot be read"),
        path.open(encoding="utf-8-sig", errors="replace") as stream,
    ):
        number = 0
        while line := stream.readline(_MAX_LINE):
            number += 1
            if len(line) == _MAX_LINE:
                raise DataError(f"{path}, row {number}: longer than {_MAX_LINE:,} characters")
            if line.strip():
                yield number, line.strip()


def _columns(path: Path, line: str) -> _Columns:
    """Tell the columns from the first line, which may be a header."""
    cells = tuple(cell.strip().strip("\"'") for cell in line.split(","))
    if all(cell.lstrip("+-").replace(".", "", 1).isdigit() for cell in cells if cell):
        if len(cells) not in (_PIXELS, _PIXELS + 1):
            raise DataError(
                f"{path} has {len(cells)} columns: expected {_PIXELS} pixels, and before them the "
                "label"
            )
        return _Columns(len(cells), 0 if len(cells) > _PIXELS else None, ())
    labels = [index for index, cell in enumerate(cells) if cell.lower() in _LABEL_NAMES]
    if len(labels) > 1:
        raise DataError(f"{path} has {len(labels)} columns of labels: expected one")
    if len(cells) - len(labels) != _PIXELS:
        raise DataError(f"{path} has {_wrong_count(cells, len(labels))}")
    return _Columns(len(cells), labels[0] if labels else None, cells)


def _wrong_count(cells: tuple[str, ...], labels: int) -> str:
    """Say how many columns of pixels a header has, and which is missing where that is plain."""
    missing = next((f"pixel{n}" for n in range(_PIXELS) if f"pixel{n}" not in cells), None)
    named = "pixel0" in cells and missing is not None
    return (
        f"{len(cells) - labels} columns of pixels"
        f"{f' ({missing} is missing)' if named else ''}: expected {_PIXELS}, and one called label"
    )


def _values(path: Path, rows: list[tuple[int, str]], columns: _Columns) -> npt.NDArray[np.uint8]:
    """Return the values of some rows, `(B, columns)`."""
    try:
        values: npt.NDArray[np.uint8] = np.loadtxt(
            [line for _, line in rows], np.uint8, comments=None, delimiter=",", ndmin=2
        )
    except ValueError:
        values = np.empty((0, 0), np.uint8)
    if values.shape != (len(rows), columns.count):
        raise DataError(f"{path}, {_fault(rows, columns)}")
    return values


def _fault(rows: list[tuple[int, str]], columns: _Columns) -> str:
    """Say what is wrong in the first bad one of some rows, some of which are bad."""
    for number, line in rows:
        cells = line.split(",")
        if len(cells) != columns.count:
            return f"row {number}: {len(cells)} values, expected {columns.count}"
        for index, cell in enumerate(cells):
            if not (cell.strip().isascii() and cell.strip().isdigit() and int(cell) <= 255):
                name = columns.names[index] if columns.names else index + 1
                return (
                    f"row {number}, column {name}: {cell!r:.40} is not a whole number from 0 to 255"
                )
    return f"row {rows[0][0]}: cannot be read"
