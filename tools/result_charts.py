"""Draw the charts whose data lie in benchmarks/results/, as SVG."""

import json
import re
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes

from cnn_mnist.recipe import named
from cnn_mnist.report import charts
from cnn_mnist.training.schedules import learning_rate_at

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"
LADDER = ("softmax", "tutorial", "standard", "accurate", "best")

# the colours of the report in light and dark
_THEME = """<style>
:root { --ink: #1c1d1f; --faint: #6a6d72;
  --series-0: #1f6feb; --series-1: #c05a14; --series-2: #1a7f4b; }
@media (prefers-color-scheme: dark) {
:root { --ink: #e6e7e9; --faint: #9a9ea5;
  --series-0: #5899ff; --series-1: #f0883e; --series-2: #4cc38a; } }
text { font-family: system-ui, sans-serif !important; }
</style>
"""


def result(name: str) -> dict[str, Any]:
    """Return what a program of benchmarks/ printed."""
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return content


def drawn_from_results() -> dict[str, str]:
    """Return all charts as SVG, by file name."""
    results = {name: result(name) for name in LADDER}

    def ladder(axes: Axes) -> None:
        for place, result in enumerate(results.values()):
            error = 1 - result["mean"]
            axes.errorbar(error, -place, xerr=result["sd"], fmt="o", color=charts.series(0))
            text = f"{100 * result['mean']:.2f} %"
            axes.annotate(text, (error, -place), xytext=(0, 8), textcoords="offset points",
                          ha="center", fontsize=9)  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlim(0.2, 0.001)
        axes.set_ylim(-len(results) + 0.5, 0.7)
        axes.set_xticks([0.1, 0.03, 0.01, 0.003], ["90 %", "97 %", "99 %", "99.7 %"])
        axes.minorticks_off()
        axes.set_yticks([-place for place in range(len(results))], list(results))

    def rates(axes: Axes) -> None:
        recipe = named("standard")
        steps = range(recipe.steps)
        axes.plot(steps, [learning_rate_at(recipe, step) for step in steps], color=charts.series(0))

    return {
        "ladder.svg": standalone(
            charts.chart(ladder, name="ladder", x="test accuracy", size=(6.4, 3.0))
        ),
        "schedule.svg": standalone(charts.chart(rates, name="schedule", x="step")),
        **growth(),
        "races.svg": standalone(
            charts.chart(races, name="races", x="times as fast", size=(6.4, 4.8))
        ),
    }


def growth() -> dict[str, str]:
    """Return the charts of memory and time as the work grows."""
    found = result("growth")
    kinds = {
        "images": "images of an IDX file, read",
        "pictures": "picture files, read",
        "steps": "steps, trained",
    }

    def drawn(name: str, key: str, what: str, **style: Any) -> str:
        def draw(axes: Axes) -> None:
            for number, (kind, label) in enumerate(kinds.items()):
                points = [(int(count), row[key]) for count, row in found[kind].items()]
                axes.plot(
                    *zip(*points, strict=True), "o-", label=label, color=charts.series(number)
                )
            axes.set(xscale="log", ylabel=what, **style)
            axes.legend()

        return standalone(charts.chart(draw, name=name, x="how many", size=(6.4, 3.2)))

    return {
        "growth-memory.svg": drawn("growth-memory", "peak_mb", "most memory, MiB", ylim=(0, 1000)),
        "growth-time.svg": drawn("growth-time", "seconds", "seconds", yscale="log"),
    }


def races(axes: Axes) -> None:
    """Draw bars: how many times as fast as others."""
    step, fast, cold, serve = map(result, ("step", "fast_race", "coldstart", "serve"))
    one, many = (result("inference")["batches"][size] for size in ("1", "1000"))
    bars = {
        "training step / PyTorch loop": step["ratio_to_plain_loop"],
        "99 % / published recipe": fast["times_as_fast"]["published"],
        "99 % / same, channels last": fast["times_as_fast"]["published, channels last"],
        "one image / bare ONNX Runtime": one["ONNX Runtime"]["ratio"],
        "one image / PyTorch": one["PyTorch"]["ratio"],
        "one image / Keras": one["Keras"]["ratio"],
        "1,000 images / PyTorch": many["PyTorch"]["ratio"],
        "1,000 images / Keras": many["Keras"]["ratio"],
        "1,000 images / tf.function": many["tf.function"]["ratio"],
        "cold start / PyTorch script": cold["times_as_fast"],
        "requests / LitServe": serve["ratios"][serve["best_litserve"]],
        "requests / FastAPI and PyTorch": serve["ratios"]["fastapi-pytorch"],
    }
    places = range(len(bars))
    axes.barh(places, list(bars.values()), color=charts.series(0), alpha=0.75, height=0.6)
    for place, times in zip(places, bars.values(), strict=True):
        axes.annotate(f"{times:.1f}", (times, place), xytext=(4, 0), va="center", fontsize=9,
                      textcoords="offset points")  # fmt: skip
    axes.axvline(1, color=charts.series(1), linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(0.7, 15)
    axes.set_xticks([1, 2, 5, 10], ["1", "2", "5", "10"])
    axes.minorticks_off()
    axes.set_yticks(places, list(bars))
    axes.invert_yaxis()


def standalone(svg: str) -> str:
    """Make an SVG file of a chart of the report, with its colours for light and dark."""
    width, height = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0]
    svg = svg.replace("<svg ", f'<svg width="{width}" height="{height}" ', 1)
    return svg.replace(">", f">\n{_THEME}<desc>matplotlib {matplotlib.__version__}</desc>", 1)
