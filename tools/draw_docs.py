"""Draw the pictures of the tutorial and the charts of docs/performance.md.

    python tools/draw_docs.py [RUN]

Without RUN, only the charts of the results in benchmarks/results/. RUN is a finished run of the
recipe `standard` on MNIST (`cnn-mnist train` makes it). The digits shown are scikit-learn's, in
MNIST's form, because MNIST's own are not ours to distribute.
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageFilter
from result_charts import drawn_from_results, standalone
from scipy.signal import correlate2d

from cnn_mnist import Classifier, Dataset, load, read
from cnn_mnist.data import digits
from cnn_mnist.evaluation.calibration import fit_temperature
from cnn_mnist.report import charts, pictures
from cnn_mnist.report.summary import activations, kernels, reliability_bins
from cnn_mnist.runs.run import Run, read_metrics
from cnn_mnist.training.augmentation import elastic

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"


def main() -> None:
    """Draw and write them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, nargs="?", help="a finished run of `standard` on MNIST")
    run = parser.parse_args().run
    FOLDER.mkdir(exist_ok=True)
    for name, svg in drawn_from_results().items():
        (FOLDER / name).write_text(svg, "utf-8")
    if run:
        draw_run(run)


def draw_run(run: Path) -> None:
    """Draw what shows a trained network at work."""
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
    strip(augmented(images[3], 10), 4).save(FOLDER / "augmentation.png")
    on_paper(pictures.sheet(kernels(network)), 12).save(FOLDER / "filters.png")
    enlarged = {"conv1": 3, "relu1": 6}
    for layer in activations(network, images[3]):
        if layer.name in enlarged:
            drawing = pictures.sheet(layer.values)
            on_paper(drawing, enlarged[layer.name]).save(FOLDER / f"{layer.name}.png")
    handwriting(images[firsts[2]]).save(FOLDER / "handwriting.png")


def reliability(run: Classifier, data: Dataset) -> dict[str, str]:
    """Return the reliability diagrams of a run on the test images, before and after calibration."""
    logits = run.logits(data)
    temperature = fit_temperature(run.logits(data, split="validation"), data.validation.labels)
    return {
        f"calibration-{when}.svg": standalone(
            charts.reliability_diagram(reliability_bins(logits / divisor, data.test.labels), when)
        )
        for when, divisor in (("before", np.float32(1)), ("after", np.float32(temperature)))
    }


def on_paper(drawing: Image.Image, times: int, margin: int = 8) -> Image.Image:
    """Enlarge a drawing so many times, on white."""
    large = drawing.convert("RGBA").resize(
        (drawing.width * times, drawing.height * times), Image.Resampling.NEAREST
    )
    paper = Image.new("RGBA", (large.width + 2 * margin, large.height + 2 * margin), "white")
    paper.alpha_composite(large, (margin, margin))
    return paper.convert("RGB")


def strip(images: npt.NDArray[np.uint8], times: int, gap: int = 2) -> Image.Image:
    """Draw digits `(N, 28, 28)` in one row."""
    row = np.concatenate([np.pad(image, ((0, 0), (0, gap))) for image in images], axis=1)
    return on_paper(pictures.ink(row), times)


def convolution(image: npt.NDArray[np.uint8]) -> Image.Image:
    """Draw a digit, a filter that responds to ink above paper, and its response."""
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


def augmented(image: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.uint8]:
    """Return a digit, and the digit augmented as in the recipes `accurate` and `best`."""
    batch = torch.from_numpy(image.astype(np.float32) / 255).expand(count - 1, 1, 28, 28)
    bent = elastic(batch.contiguous(), torch.Generator().manual_seed(0))
    return np.concatenate([image[None], np.rint(bent[:, 0].numpy() * 255).astype(np.uint8)])


def handwriting(image: npt.NDArray[np.uint8]) -> Image.Image:
    """Draw a digit on unevenly lit paper, resized to 28x28, and as `cnn_mnist.read` sees it."""
    side = 224
    light = np.linspace(235, 120, side)[None] * np.linspace(1, 0.8, side)[:, None]
    light += np.random.default_rng(0).normal(0, 3, (side, side))
    pen = Image.fromarray(image).resize((100, 100), Image.Resampling.BICUBIC)
    ink = np.zeros((side, side))
    ink[30:130, 24:124] = np.asarray(pen.filter(ImageFilter.GaussianBlur(1))) / 255
    photo = Image.fromarray(np.clip(light * (1 - 0.75 * ink), 0, 255).astype(np.uint8))
    naive = 255 - np.asarray(photo.resize((28, 28), Image.Resampling.BOX))
    photo.save(FOLDER / "my-digit.png")
    (digit,) = read(FOLDER / "my-digit.png").digits
    ours = np.rint(digit.image * 255).astype(np.uint8)
    sheet = Image.new("RGB", (3 * side + 40, side), "white")
    sheet.paste(photo, (0, 0))
    for place, form in enumerate((naive, ours), start=1):
        drawn = Image.fromarray(255 - form).resize((side, side), Image.Resampling.NEAREST)
        sheet.paste(drawn, (place * (side + 20), 0))
    return sheet


if __name__ == "__main__":
    main()
