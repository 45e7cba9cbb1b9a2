"""The page: studies laid out as one HTML file that asks nobody for anything."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from cnn_mnist.errors import ExportError, needs_extra
from cnn_mnist.files import replace
from cnn_mnist.report import charts, pictures
from cnn_mnist.report.study import Activation, Study

with needs_extra("plot", "drawing a report"):
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

_MOST_CLASSES: Final = 30
"""Beyond it a confusion matrix with numbers is no longer read, and is drawn as a picture."""


def write_report(studies: Sequence[Study], path: Path) -> None:
    """Create or replace the report of a run, or of several side by side.

    Args:
        studies: at least one.
        path: the HTML file; its folder is created where missing.

    Raises:
        ExportError: it cannot be written; an earlier file stays.
    """
    content = render(studies).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, content)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}") from error


def render(studies: Sequence[Study]) -> str:
    """The page's HTML."""
    environment = Environment(
        loader=PackageLoader("cnn_mnist.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "thousands": _thousands, "duration": _duration}
    names = _names([study.path for study in studies])
    runs = list(map(_Run, studies, names, range(len(studies))))
    curves = charts.curves({run.name: run.study.metrics for run in runs})
    figures = json.dumps({run.name: run.study.figures for run in runs})
    return environment.get_template("page.html").render(
        runs=runs,
        curves={name: Markup(svg) for name, svg in curves.items()},  # noqa: S704 - our own
        settings=_settings(studies),
        data=Markup(figures.replace("<", "\\u003c")),  # noqa: S704 - JSON, and no tag in it
    )


class _Run:
    """A study as the template wants it."""

    def __init__(self, study: Study, name: str, number: int) -> None:
        self.study = study
        self.name = name
        self.series = number % charts.SERIES
        self.figures = study.figures
        self.reliability = Markup(  # noqa: S704 - our own
            charts.reliability_diagram(study.bins, f"reliability-{number}")
        )
        self.kernels = pictures.data_uri(pictures.sheet(study.kernels))
        self.image = pictures.data_uri(pictures.ink(study.image))
        self.activations = [(layer, *_drawn(layer)) for layer in study.activations]
        logits = study.activations[-1].values.astype(np.float64)
        self.probabilities = np.exp(logits - np.logaddexp.reduce(logits)).tolist()
        self.mistakes = [
            (mistake, pictures.data_uri(pictures.ink(image)))
            for mistake, image in zip(study.mistakes, study.mistaken, strict=True)
        ]
        confusion = np.asarray(study.figures["confusion"])
        self.confusion = confusion.tolist() if len(confusion) <= _MOST_CLASSES else None
        off = confusion - np.diag(confusion.diagonal())
        self.most_confused = max(1, int(off.max()))
        self.confusion_picture = pictures.data_uri(
            pictures.signed(np.log1p(confusion).astype(np.float32))
        )


def _drawn(layer: Activation) -> tuple[str, str]:
    """A layer's output as a picture, and its shape in words."""
    shape = " x ".join(map(str, layer.values.shape))
    return pictures.data_uri(pictures.sheet(layer.values)), shape


def _names(paths: Sequence[Path]) -> list[str]:
    """What runs are called: their folders' names, or whole paths where those are not unique."""
    names = [path.resolve().name for path in paths]
    count = Counter(names)
    return [
        name if count[name] == 1 else str(path) for name, path in zip(names, paths, strict=True)
    ]


def _settings(studies: Sequence[Study]) -> list[tuple[str, list[str], bool]]:
    """What was run: for each setting its value in every run, and whether they differ."""
    columns = [_flat(study.about) for study in studies]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = [(name, [column.get(name, "-") for column in columns]) for name in names]
    return [(name, values, len(set(values)) > 1) for name, values in rows]


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in values.items():
        label = f"{prefix}{name.replace('_', ' ')}"
        if isinstance(value, dict):
            flat |= _flat(value, f"{label}: ")
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
