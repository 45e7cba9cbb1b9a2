"""Score answers: right ones by condition and source, intervals, digits by edit distance."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from answers import Answer

SEED = 1


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A picture and what is known about it."""

    file: Path
    label: str
    """All digits in reading order."""
    rows: tuple[str, ...] = ()
    """The same row by row; empty where it is not known."""
    condition: str = ""
    """How it was made."""
    source: str = ""
    """Whose it is; pictures of one source are by one hand."""
    longest_side: int
    """In pixels, as stored."""


def score(pictures: Sequence[Labelled], answers: Sequence[Answer]) -> dict[str, Any]:
    """Score pictures whose whole text must be the label."""
    texts = [answer.text for answer in answers]
    right = [text == picture.label for picture, text in zip(pictures, texts, strict=True)]
    return {**summary(pictures, texts, right), "refused": sum(not text for text in texts)}


def score_strings(pictures: Sequence[Labelled], answers: Sequence[Answer]) -> dict[str, Any]:
    """Score pictures of several digits: also digit by digit, and whether the rows are right."""
    rows = [a.rows == p.rows for p, a in zip(pictures, answers, strict=True) if p.rows]
    return {
        **score(pictures, answers),
        "digits": digits_right([p.label for p in pictures], [a.text for a in answers]),
        "rows": {"n": len(rows), "right": sum(rows)},
    }


def summary(
    pictures: Sequence[Labelled], texts: Sequence[str], right: list[bool]
) -> dict[str, Any]:
    """Count right answers, and list the wrong ones with what was read.

    Returns:
        The share of right answers, its 95 % interval, counts by condition and source.
    """
    sources = [picture.source for picture in pictures]
    wrong = [
        {"file": picture.file.name, "label": picture.label, "read": text}
        for picture, text, fine in zip(pictures, texts, right, strict=True)
        if not fine
    ]
    return {
        "n": len(right),
        "right": sum(right),
        "accuracy": sum(right) / len(right),
        "interval": interval(right, sources),
        "by_condition": count_by([picture.condition for picture in pictures], right),
        "by_source": count_by(sources, right),
        "wrong": wrong,
    }


def count_by(keys: Sequence[str], right: Sequence[bool]) -> dict[str, dict[str, int]]:
    """Count how many answers there are for each key, and how many are right."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: {"n": 0, "right": 0})
    for key, fine in zip(keys, right, strict=True):
        found[key]["n"] += 1
        found[key]["right"] += fine
    return dict(sorted(found.items()))


def interval(right: Sequence[bool], sources: Sequence[str]) -> list[float]:
    """Return the 95 % interval of the accuracy from a bootstrap over sources."""
    groups = count_by(sources, right)
    counts = np.array([(group["right"], group["n"]) for group in groups.values()])
    draws = np.random.default_rng(SEED).integers(len(counts), size=(10_000, len(counts)))
    sums = counts[draws].sum(axis=1)
    return [float(end) for end in np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])]


def digits_right(labels: Sequence[str], texts: Sequence[str]) -> float:
    """Return 1 - the edits that turn the texts into the labels, for each digit of the labels.

    Below 0 where there are more edits than digits.
    """
    edits = sum(edit_distance(*pair) for pair in zip(labels, texts, strict=True))
    return 1 - edits / sum(map(len, labels))


def edit_distance(one: str, other: str) -> int:
    """Return how many characters must be put in, left out or replaced (Levenshtein)."""
    before = list(range(len(other) + 1))
    for row, left in enumerate(one, start=1):
        now = [row]
        for column, right in enumerate(other, start=1):
            replaced = before[column - 1] + (left != right)
            now.append(min(replaced, before[column] + 1, now[-1] + 1))
        before = now
    return before[-1]
