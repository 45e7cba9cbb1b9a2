"""Print what was read in images: as a table, as JSON, as CSV."""

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import click

from cnn_mnist.cli.output import printable, table

if TYPE_CHECKING:
    from cnn_mnist.reading.result import Digit, Reading

_PAGE = 1000
"""Images in one table; the columns of the next table may have other widths."""

_FORMULA = ("=", "+", "-", "@")
"""A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection)."""

_NUMBER = re.compile(r"[-+]?(\d[\d.,:/-]*)?")
"""A number, a date or a lone sign: no formula, whatever it begins with."""

_BOX = ("left", "top", "right", "bottom")
_COLUMNS = ("file", "line", "class", "probability", *_BOX, "reason", "sign")
_FIELD_COLUMNS = ("file", "row", "column", "text", *_BOX)


def print_json(
    readings: Iterable[tuple[str, "Reading"]], failures: list[dict[str, str]], *, lines: bool
) -> None:
    """Print one line, image by image, so that memory does not grow with their number."""
    click.echo('{"images": [', nl=False)
    for number, (name, reading) in enumerate(readings):
        image = json.dumps({"file": name, **reading.to_dict("\n" if lines else None)})
        click.echo(f", {image}" if number else image, nl=False)
    click.echo(f'], "errors": {json.dumps(failures)}}}')


def print_csv(readings: Iterable[tuple[str, "Reading"]], class_names: tuple[str, ...]) -> None:
    """Print a line per candidate; its class is empty where it is not a digit.

    A last column has the names of classes that have other names than their numbers.
    """
    from cnn_mnist.data.class_names import are_numbers

    named = not are_numbers(class_names)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*_COLUMNS, "name"] if named else _COLUMNS)
    for name, reading in readings:
        for number, line in enumerate(reading.lines, start=1):
            for digit in line:
                class_ = "" if digit.class_ is None else digit.class_
                probability = f"{digit.probability:.6f}"
                row = [number, class_, probability, *digit.box, digit.reason or ""]
                row.append(_cell(digit.sign or ""))
                writer.writerow([_cell(name), *row, *([_cell(digit.name or "")] if named else [])])


def print_fields(readings: Iterable[tuple[str, "Reading"]]) -> None:
    """Print a line per field of each form, empty ones included.

    Of a picture without a form a line per row of digits, with no column.
    """
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_FIELD_COLUMNS)
    for name, reading in readings:
        for field in reading.fields or ():
            writer.writerow([_cell(name), field.row, field.column, _cell(field.text), *field.box])
        if not reading.fields:
            for row, (text, box) in enumerate(
                zip(reading.text_lines, _boxes(reading), strict=True), 1
            ):
                writer.writerow([_cell(name), row, "", _cell(text), *box])


def _boxes(reading: "Reading") -> Iterator[tuple[int, ...]]:
    """Yield the box around the digits of each row that has some."""
    for line in reading.lines:
        sides = list(zip(*(digit.box for digit in line if digit.name is not None), strict=True))
        if sides:
            yield min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3])


def _cell(text: str) -> str:
    """Return text for a cell that no spreadsheet takes for a formula."""
    text = printable(text)
    is_formula = text.startswith(_FORMULA) and not _NUMBER.fullmatch(text)
    return f"'{text}" if is_formula else text


def print_table(
    readings: Iterable[tuple[str, "Reading"]], class_names: tuple[str, ...], *, lines: bool
) -> None:
    """Print file, text and probabilities, in tables of up to `_PAGE` images with a header each.

    Args:
        readings: name and reading of each image.
        class_names: of the network that has read them.
        lines: whether each row of digits gets a line of its own.
    """
    from cnn_mnist.data.class_names import are_digits

    nothing = "no digit" if are_digits(class_names) else "nothing found: try --whole"
    pages = iter(readings)
    while page := list(islice(pages, _PAGE)):
        rows = [["file", "text", "probabilities"]]
        for name, reading in page:
            texts = reading.text_lines if lines else [reading.text]
            probabilities = " ".join(map(_probability, reading.digits))
            for number, text in enumerate(texts or [""]):
                first = number == 0
                rows.append(
                    [
                        printable(name) + _note(reading) if first else "",
                        text or nothing,
                        probabilities if first else "",
                    ]
                )
        click.echo(table(rows, left=3))


def _probability(digit: "Digit") -> str:
    """Return a digit's probability, a sign itself, and ? for what was refused."""
    if digit.name is None:
        return "?"
    return digit.name if digit.class_ is None else f"{digit.probability:.1%}"


def _note(reading: "Reading") -> str:
    """Return what a person must know of how a picture was read."""
    notes = []
    if reading.turned:
        notes.append(f"read turned by {reading.turned} degrees clockwise")
    if reading.fields is not None and not reading.fields:
        notes.append("no fields found")
    return f" ({', '.join(notes)})" if notes else ""
