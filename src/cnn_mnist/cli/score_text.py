"""Print the metrics of a network as text for people."""

from typing import Any, Final

from cnn_mnist.cli.output import table

_WIDEST: Final = 120
"""Characters of a confusion matrix; a wider one would be broken by most terminals."""
_MOST_PAIRS: Final = 20


def score_text(result: dict[str, Any]) -> str:
    """Return the metrics as text.

    Args:
        result: what `Classifier.evaluate` returns.
    """
    names = [row.get("name", str(row["class"])) for row in result["per_class"]]
    return (
        f"{result['dataset']}, {result['split']} split, {result['n']:,} images, "
        f"step {result['global_step']}\n"
        f"accuracy {result['accuracy']:.2%}   loss {result['loss']:.4f}   "
        f"calibration error {result['expected_calibration_error']:.2%}\n\n"
        f"{_per_class(result, names)}\n\n{_confusion(result['confusion'], names)}"
    )


def _per_class(result: dict[str, Any], names: list[str]) -> str:
    rows = [["class", "precision", "recall", "F1", "images"]]
    for name, row in zip(names, result["per_class"], strict=True):
        shares = (row["precision"], row["recall"], row["f1"])
        rows.append(
            [
                name,
                *("-" if share is None else f"{share:.2%}" for share in shares),
                f"{row['support']:,}",
            ]
        )
    return table(rows)


def _confusion(confusion: list[list[int]], names: list[str]) -> str:
    """Return the confusion matrix; where it is too wide, the pairs of classes confused most."""
    rows = [["label \\ predicted", *names]]
    for name, counts in zip(names, confusion, strict=True):
        rows.append([name, *(str(count) if count else "." for count in counts)])
    matrix = table(rows)
    if max(map(len, matrix.splitlines())) <= _WIDEST:
        return matrix
    pairs = [
        (count, names[label], names[predicted])
        for label, counts in enumerate(confusion)
        for predicted, count in enumerate(counts)
        if count and label != predicted
    ]
    if not pairs:
        return "no image was misread"
    pairs.sort(key=lambda pair: -pair[0])
    rows = [["label", "predicted", "images"]]
    rows += [[label, predicted, f"{count:,}"] for count, label, predicted in pairs[:_MOST_PAIRS]]
    rest = len(pairs) - _MOST_PAIRS
    more = f"\nand {rest:,} more pairs; --json has the whole matrix" if rest > 0 else ""
    return f"confused most often:\n{table(rows, left=2)}{more}"
