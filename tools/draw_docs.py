"""Draws the pictures of the tutorial, and the charts of docs/performance.md.

    python docs/pictures.py [RUN]

Without RUN only the charts of figures in benchmarks/results/. RUN is a finished run of the recipe
`standard` on MNIST (`cnn-mnist train` makes it). The digits shown are scikit-learn's, brought to
MNIST's form: MNIST's own are not ours to hand around.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from PIL import Image, ImageFilter
from scipy.signal import correlate2d

from cnn_mnist import Classifier, Dataset, Model, load
from cnn_mnist.calibration import fit_temperature
from cnn_mnist.data import digits
from cnn_mnist.data.augment import elastic
from cnn_mnist.image import decode, find_candidates
from cnn_mnist.infer import PRETRAINED
from cnn_mnist.recipe import named
from cnn_mnist.report import charts, pictures
from cnn_mnist.report.study import activations, bins, kernels
from cnn_mnist.run import Run, read_metrics

HERE = Path(__file__).parent
RESULTS = HERE.parent / "benchmarks" / "results"
FOLDER = HERE / "pictures"
LADDER = ("softmax", "tutorial", "standard", "accurate", "best")

# Light and dark as in the report's page.
_THEME = """<style>
:root { --ink: #1c1d1f; --faint: #6a6d72;
  --series-0: #1f6feb; --series-1: #c05a14; --series-2: #1a7f4b; }
@media (prefers-color-scheme: dark) {
:root { --ink: #e6e7e9; --faint: #9a9ea5;
  --series-0: #5899ff; --series-1: #f0883e; --series-2: #4cc38a; } }
text { font-family: system-ui, sans-serif !important; }
</style>
"""


def main() -> None:
    """Draw them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, nargs="?", help="a finished run of `standard` on MNIST")
    run = parser.parse_args().run
    FOLDER.mkdir(exist_ok=True)
    for name, svg in drawn_from_results().items():
        (FOLDER / name).write_text(svg, "utf-8")
    if run:
        draw_run(run)


def draw_run(run: Path) -> None:
    """What shows a network at work."""
    network = Classifier(run).network()
    images = digits.load().test.images
    mnist = load("mnist")
    curves = charts.curves({"standard": read_metrics(Run(run))})
    (FOLDER / "standard-loss.svg").write_text(standalone(curves["loss"]), "utf-8")
    for name, svg in reliability(Classifier(run), mnist).items():
        (FOLDER / name).write_text(svg, "utf-8")
    firsts = np.unique(digits.load().test.labels, return_index=True)[1]
    strip(images[firsts], 4).save(FOLDER / "digits.png")
    convolution(images[3]).save(FOLDER / "convolution.png")
    strip(varied(images[3], 10), 4).save(FOLDER / "augmentation.png")
    on_paper(pictures.sheet(kernels(network)), 12).save(FOLDER / "filters.png")
    enlarged = {"conv1": 3, "relu1": 6}
    for layer in activations(network, images[3]):
        if layer.name in enlarged:
            drawing = pictures.sheet(layer.values)
            on_paper(drawing, enlarged[layer.name]).save(FOLDER / f"{layer.name}.png")
    handwriting(images[firsts[2]]).save(FOLDER / "handwriting.png")


def result(name: str) -> dict[str, Any]:
    """What a program of benchmarks/ has printed."""
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return content


def drawn_from_results() -> dict[str, str]:
    """The charts whose figures lie in benchmarks/results/, as SVG by file name."""
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
        axes.plot(steps, [recipe.learning_rate_at(step) for step in steps], color=charts.series(0))

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
    """Memory and time as the work grows."""
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
    """Bars: how many times as fast as others."""
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


def reliability(run: Classifier, data: Dataset) -> dict[str, str]:
    """The reliability diagrams of a run on the test images, as it is and at its temperature."""
    logits = run.logits(data)
    temperature = fit_temperature(run.logits(data, split="validation"), data.validation.labels)
    return {
        f"calibration-{when}.svg": standalone(
            charts.reliability_diagram(bins(logits / divisor, data.test.labels), when)
        )
        for when, divisor in (("before", np.float32(1)), ("after", np.float32(temperature)))
    }


def standalone(svg: str) -> str:
    """A chart of the report as a file of its own, with the colours of light and dark in it."""
    width, height = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0]
    svg = svg.replace("<svg ", f'<svg width="{width}" height="{height}" ', 1)
    return svg.replace(">", f">\n{_THEME}<desc>matplotlib {matplotlib.__version__}</desc>", 1)


def on_paper(drawing: Image.Image, times: int, margin: int = 8) -> Image.Image:
    """A drawing enlarged so many times, on white."""
    large = drawing.convert("RGBA").resize(
        (drawing.width * times, drawing.height * times), Image.Resampling.NEAREST
    )
    paper = Image.new("RGBA", (large.width + 2 * margin, large.height + 2 * margin), "white")
    paper.alpha_composite(large, (margin, margin))
    return paper.convert("RGB")


def strip(images: np.ndarray[Any, np.dtype[np.uint8]], times: int, gap: int = 2) -> Image.Image:
    """Digits `(N, 28, 28)` in one row."""
    row = np.concatenate([np.pad(image, ((0, 0), (0, gap))) for image in images], axis=1)
    return on_paper(pictures.ink(row), times)


def convolution(image: np.ndarray[Any, np.dtype[np.uint8]]) -> Image.Image:
    """A digit, a filter that looks for ink above paper, and what it finds."""
    kernel = np.repeat(np.array([[1], [1], [0], [-1], [-1]], np.float32), 5, axis=1)
    found = correlate2d(image / np.float32(255), kernel, mode="same")
    parts = [
        on_paper(pictures.ink(image), 7),
        on_paper(pictures.signed(kernel), 14),
        on_paper(pictures.signed(found), 7),
    ]
    sheet = Image.new("RGB", (sum(part.width for part in parts) + 60, parts[0].height), "white")
    left = 0
    for part in parts:
        sheet.paste(part, (left, (sheet.height - part.height) // 2))
        left += part.width + 30
    return sheet


def varied(
    image: np.ndarray[Any, np.dtype[np.uint8]], count: int
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A digit as it is, and varied as the recipes `accurate` and `best` vary it."""
    batch = torch.from_numpy(image.astype(np.float32) / 255).expand(count - 1, 1, 28, 28)
    bent = elastic(batch.contiguous(), torch.Generator().manual_seed(0))
    return np.concatenate([image[None], np.rint(bent[:, 0].numpy() * 255).astype(np.uint8)])


def handwriting(image: np.ndarray[Any, np.dtype[np.uint8]]) -> Image.Image:
    """A digit on unevenly lit paper; merely shrunk to 28x28; as `cnn_mnist.read` sees it."""
    side = 224
    light = np.linspace(235, 120, side)[None] * np.linspace(1, 0.8, side)[:, None]
    light += np.random.default_rng(0).normal(0, 3, (side, side))
    pen = Image.fromarray(image).resize((100, 100), Image.Resampling.BICUBIC)
    ink = np.zeros((side, side))
    ink[30:130, 24:124] = np.asarray(pen.filter(ImageFilter.GaussianBlur(1))) / 255
    photo = Image.fromarray(np.clip(light * (1 - 0.75 * ink), 0, 255).astype(np.uint8))
    naive = 255 - np.asarray(photo.resize((28, 28), Image.Resampling.BOX))
    photo.save(FOLDER / "my-digit.png")
    (row,) = find_candidates(decode(FOLDER / "my-digit.png"))
    best = max(row, key=lambda found: Model(PRETRAINED).predict(found.image)[1].max())
    ours = np.rint(best.image * 255).astype(np.uint8)
    sheet = Image.new("RGB", (3 * side + 40, side), "white")
    sheet.paste(photo, (0, 0))
    for place, form in enumerate((naive, ours), start=1):
        drawn = Image.fromarray(255 - form).resize((side, side), Image.Resampling.NEAREST)
        sheet.paste(drawn, (place * (side + 20), 0))
    return sheet


if __name__ == "__main__":
    main()
