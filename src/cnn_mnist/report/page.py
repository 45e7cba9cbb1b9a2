"""Lay out summaries of runs as one HTML file that loads nothing from elsewhere."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.errors import ExportError, needs_extra, os_errors_as
from cnn_mnist.files import replace
from cnn_mnist.report import charts, pictures
from cnn_mnist.report.summary import Activation, Summary

with needs_extra("plot", "drawing a report"):
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

_MOST_CLASSES: Final = 30
"""A confusion matrix of more classes is drawn as a picture: its numbers would be unreadable."""
_MOST_PAIRS: Final = 20
"""Pairs of classes that are listed beside the picture."""


def write_report(summaries: Sequence[Summary], path: Path) -> None:
    """Create or replace the report of a run, or of several side by side.

    Args:
        summaries: of the runs, at least one.
        path: the HTML file; its folder is created where missing.

    Raises:
        ExportError: it cannot be written; an earlier file stays.
    """
    content = render(summaries).encode()
    with os_errors_as(ExportError, f"{path} cannot be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, content)


def render(summaries: Sequence[Summary]) -> str:
    """Return the page's HTML."""
    environment = Environment(
        loader=PackageLoader("cnn_mnist.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "thousands": _thousands, "duration": _duration}
    names = _names([summary.path for summary in summaries])
    runs = list(map(_Run, summaries, names, range(len(summaries))))
    curves = charts.curves({run.name: run.summary.history for run in runs})
    metrics = json.dumps({run.name: run.metrics for run in runs})
    return environment.get_template("page.html").render(
        runs=runs,
        curves={name: Markup(svg) for name, svg in curves.items()},  # noqa: S704 - our own
        settings=_settings(summaries),
        data=Markup(metrics.replace("<", "\\u003c")),  # noqa: S704 - JSON, and no tag in it
    )


class _Run:
    """Prepare a run's summary for the template: arrays as pictures, logits as probabilities."""

    def __init__(self, summary: Summary, name: str, number: int) -> None:
        self.summary = summary
        self.name = name
        self.series = number % charts.SERIES
        self.metrics = summary.metrics
        self.class_names = summary.class_names
        self.reliability = Markup(  # noqa: S704 - our own
            charts.reliability_diagram(summary.bins, f"reliability-{number}")
        )
        self.kernels = (
            None if summary.kernels is None else pictures.data_uri(pictures.sheet(summary.kernels))
        )
        self.image = pictures.data_uri(pictures.ink(summary.image))
        self.activations = [(layer, *_drawn(layer)) for layer in summary.activations]
        self.mistakes = [
            (mistake, pictures.data_uri(pictures.ink(image)))
            for mistake, image in zip(summary.mistakes, summary.mistaken_images, strict=True)
        ]
        confusion = np.asarray(summary.metrics["confusion"])
        self.confusion = confusion.tolist() if len(confusion) <= _MOST_CLASSES else None
        off_diagonal = confusion - np.diag(confusion.diagonal())
        self.most_confused = max(1, int(off_diagonal.max()))
        self.confused_pairs = _most_confused(off_diagonal, summary.class_names)
        self.shown_probabilities = _highest(summary.probabilities.tolist(), summary.class_names)
        self.confusion_picture = pictures.data_uri(
            pictures.signed(np.log1p(confusion).astype(np.float32))
        )


def _most_confused(
    off_diagonal: npt.NDArray[np.int64], class_names: Sequence[str]
) -> list[tuple[str, str, int]]:
    """Return label, prediction and number of images of the pairs that were confused most often."""
    order = np.argsort(-off_diagonal, axis=None, kind="stable")[:_MOST_PAIRS]
    pairs = zip(*np.unravel_index(order, off_diagonal.shape), strict=True)
    return [
        (class_names[label], class_names[prediction], int(off_diagonal[label, prediction]))
        for label, prediction in pairs
        if off_diagonal[label, prediction]
    ]


def _highest(probabilities: Sequence[float], class_names: Sequence[str]) -> list[tuple[str, float]]:
    """Return the probabilities with their class names; of many classes, only those from 1 %."""
    everything = list(zip(class_names, probabilities, strict=True))
    if len(everything) <= _MOST_CLASSES:
        return everything
    return [(name, probability) for name, probability in everything if probability >= 0.01]


def _drawn(layer: Activation) -> tuple[str, str]:
    """Return a layer's output as a picture, and its shape as text."""
    shape = " x ".join(map(str, layer.values.shape))
    return pictures.data_uri(pictures.sheet(layer.values)), shape


def _names(paths: Sequence[Path]) -> list[str]:
    """Name runs by their folders, or by whole paths where folder names are not unique."""
    names = [path.resolve().name for path in paths]
    count = Counter(names)
    return [
        name if count[name] == 1 else str(path) for name, path in zip(names, paths, strict=True)
    ]


def _settings(summaries: Sequence[Summary]) -> list[tuple[str, list[str], bool]]:
    """Return, for each setting, its name, its value in every run, and whether they differ."""
    columns = [_flat(summary.settings) for summary in summaries]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = [(name, [column.get(name, "-") for column in columns]) for name in names]
    return [(name, values, len(set(values)) > 1) for name, values in rows]


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested values as texts under names such as `recipe: learning rate`."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        label = f"{prefix}{name.replace('_', ' ')}"
        if isinstance(value, dict):
            flat |= _flat(value, f"{label}: ")
        elif isinstance(value, list):
            flat[label] = ", ".join(map(str, value))
        else:
            flat[label] = _thousands(value) if name == "steps" else str(value)
    return flat


def _percent(share: float | None, digits: int = 2) -> str:
    return "-" if share is None else f"{100 * share:.{digits}f} %"


def _thousands(count: Any) -> str:
    return f"{count:,}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
