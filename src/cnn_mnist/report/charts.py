"""Draw charts as SVG in the colours of the page, light or dark.

matplotlib draws with placeholder colours, which are then replaced by CSS variables. Text stays
text, in the page's own fonts.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any, Final

import numpy as np

from cnn_mnist.errors import needs_extra

with needs_extra("plot", "drawing a report"):
    import matplotlib
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator

SERIES: Final = 6
"""Colours for runs side by side; a seventh run gets the first colour again."""

_INK, _FAINT = "#010101", "#010102"
_COLOURS: Final[dict[str, str]] = {
    _INK: "--ink",
    _FAINT: "--faint",
    **{f"#0102{number:02x}": f"--series-{number}" for number in range(SERIES)},
}
_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "cnn-mnist",
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": _FAINT,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "xtick.color": _FAINT,
    "xtick.labelcolor": _INK,
    "ytick.color": _FAINT,
    "ytick.labelcolor": _INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
}
_ACCURACIES: Final = (0.1, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999)
_LEAST_ERROR: Final = 1e-4
"""A smaller error rate is drawn as one in 10,000: the scale has no place for 0."""

History = Sequence[Mapping[str, float]]
"""The rows of `metrics.jsonl`."""


def curves(runs: Mapping[str, History]) -> dict[str, str]:
    """Draw loss, accuracy and learning rate over the steps, of one run or of several.

    Args:
        runs: the rows of `metrics.jsonl` of each run, by its name.

    Returns:
        SVG texts under `loss`, `accuracy` and `learning_rate`.
    """

    def training_and_validation(axes: Axes, name: str) -> None:
        for number, (run, rows) in enumerate(runs.items()):
            suffix = f", {run}" if len(runs) > 1 else ""
            _line(axes, rows, name, f"training{suffix}", number, alpha=0.55, linewidth=1.2)
            _line(axes, rows, f"validation_{name}", f"validation{suffix}", number, marker="o",
                  markersize=3.5)  # fmt: skip
        if any(not str(line.get_label()).startswith("_") for line in axes.lines):
            axes.legend()

    def loss(axes: Axes) -> None:
        training_and_validation(axes, "loss")
        axes.set_yscale("log")
        plain = FuncFormatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_major_formatter(plain)
        axes.yaxis.set_minor_formatter(plain if _narrow(axes) else FuncFormatter(lambda *_: ""))

    def accuracy(axes: Axes) -> None:
        training_and_validation(axes, "accuracy")
        axes.set_yscale("function", functions=(_nines, _from_nines))
        low, high = axes.get_ylim()
        axes.set_yticks([tick for tick in _ACCURACIES if low <= tick <= high])
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))

    def learning_rate(axes: Axes) -> None:
        for number, (run, rows) in enumerate(runs.items()):
            _line(axes, rows, "learning_rate", run, number)
        axes.set_ylim(bottom=0)

    drawn = {"loss": loss, "accuracy": accuracy, "learning_rate": learning_rate}
    return {name: chart(draw, name=name, x="step") for name, draw in drawn.items()}


def reliability_diagram(bins: Sequence[tuple[int, float, float]], name: str) -> str:
    """Draw accuracy over confidence.

    Args:
        bins: see `cnn_mnist.evaluation.calibration.reliability`.
        name: see `chart`.
    """

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=_FAINT, linewidth=1, linestyle="--")
        filled = [row for row in bins if row[0]]
        largest = max(count for count, _, _ in filled)
        for count, confidence, share in filled:
            colour, size = series(0), 5 + 13 * np.log1p(count) / np.log1p(largest)
            axes.plot([confidence] * 2, [confidence, share], color=colour, linewidth=1.5)
            axes.plot(confidence, share, "o", color=colour, markersize=size, alpha=0.6,
                      markeredgewidth=0)  # fmt: skip
            axes.annotate(f"{count:,}", (confidence, share), xytext=(0, -16), fontsize=8,
                          textcoords="offset points", ha="center")  # fmt: skip
        axes.set(xlim=(0, 1.04), ylim=(-0.02, 1.06), ylabel="accuracy")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))

    return chart(draw, name=name, x="confidence", size=(4.6, 4.0))


def chart(
    draw: Callable[[Axes], None], *, name: str, x: str, size: tuple[float, float] = (4.8, 3.3)
) -> str:
    """Return a chart as SVG text in the page's colours.

    Args:
        draw: draws the chart into the axes.
        name: unique on the page: it is the chart's label and the prefix of the ids inside.
        x: the label of the horizontal axis.
        size: width and height in inches of 72 CSS pixels.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.set_xlabel(x)
        content = StringIO()
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    svg = content.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    # ids must be unique on a page with several charts
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(
        r'width="[\d.]+pt" height="[\d.]+pt"', f'role="img" aria-label="{name}"', svg, count=1
    )
    for placeholder, variable in _COLOURS.items():
        svg = svg.replace(placeholder, f"var({variable})")
    return svg


def _line(axes: Axes, rows: History, key: str, label: str, number: int, **style: Any) -> None:
    points = [(row["step"], row[key]) for row in rows if key in row]
    if points:
        plain = label.replace("$", r"\$")  # a run's name may hold what matplotlib takes for math
        axes.plot(*zip(*points, strict=True), label=plain, color=series(number), **style)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))


def series(number: int) -> str:
    """Return the placeholder for the colour of the run with this number."""
    return f"#0102{number % SERIES:02x}"


def _narrow(axes: Axes) -> bool:
    """Say whether a logarithmic axis spans so little that its minor ticks need labels."""
    low, high = axes.get_ylim()
    return bool(high / low < 15)


def _nines(accuracy: Any) -> Any:
    """Stretch the scale near 1, so that 99 % and 99.9 % are as far apart as 90 % and 99 %."""
    return -np.log10(np.maximum(1 - np.asarray(accuracy), _LEAST_ERROR))


def _from_nines(nines: Any) -> Any:
    return 1 - 10.0 ** -np.asarray(nines)
