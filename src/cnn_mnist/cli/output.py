"""Print results: one JSON line, or text for people."""

import json
from typing import Any

import click


def emit(result: dict[str, Any], *, as_json: bool, text: str) -> None:
    """Print a result: as one JSON line, or as text for people."""
    click.echo(json.dumps(result) if as_json else text)


def table(rows: list[list[str]], *, left: int = 1) -> str:
    """Return rows as text, the first `left` columns aligned left, the others right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def layer_text(described: dict[str, Any]) -> str:
    """Return the layers of a network (see `cnn_mnist.networks.table.describe`) as text."""
    rows = [["layer", "kind", "output", "parameters", "FLOPs"]]
    for layer in described["layers"]:
        shape = " x ".join(map(str, layer["output"]))
        rows.append(
            [layer["name"], layer["kind"], shape, *_counts(layer["parameters"], layer["flops"])]
        )
    rows.append(["total", "", "", *_counts(described["parameters"], described["flops"])])
    return table(rows, left=2)


def _counts(*values: int) -> list[str]:
    return [f"{value:,}" if value else "" for value in values]


def printable(text: str) -> str:
    """Escape what a terminal would obey or hide: control characters, direction marks."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )
