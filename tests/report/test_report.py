"""Test the report: it shows what was measured, for any network, in one self-contained file."""

import json
import re
import shutil
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from tiny import one_thread, tiny_dataset, tiny_recipe, trained  # noqa: F401 - a fixture
from torch import nn

from cnn_mnist import Classifier
from cnn_mnist.cli import cli
from cnn_mnist.data.dataset import Dataset
from cnn_mnist.errors import ExportError, RunError
from cnn_mnist.evaluation.calibration import BINS, calibration_error, reliability
from cnn_mnist.networks import NETWORKS
from cnn_mnist.networks.build import build
from cnn_mnist.report import charts, pictures, summarize, write_report
from cnn_mnist.report.charts import curves
from cnn_mnist.report.page import render
from cnn_mnist.report.summary import activations, kernels
from cnn_mnist.runs.run import Run, read_metrics
from cnn_mnist.training.loop import train


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a tiny recipe."""
    path = tmp_path_factory.mktemp("report") / "finished"
    trained(path)
    Classifier(path).finish(tiny_dataset())
    return path


@pytest.fixture(scope="module")
def page(run_dir: Path) -> str:
    return render([summarize(run_dir, tiny_dataset())])


class Elements(HTMLParser):
    """The elements of a page, and whatever they would load."""

    VOID = ("meta", "link", "img", "br")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "action"):
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_metrics_are_those_of_evaluation_json(run_dir: Path, page: str) -> None:
    evaluation = json.loads(Run(run_dir).evaluation_file.read_text("utf-8"))
    data = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.S)
    assert data
    assert json.loads(data[1]) == {"finished": evaluation}
    shown = dict(re.findall(r'data-metric="(\w+)">([^<]*)<', page))
    assert shown["accuracy"] == f"{100 * evaluation['accuracy']:.2f} %"
    assert shown["loss"] == f"{evaluation['loss']:.4f}"
    assert shown["global_step"] == f"{evaluation['global_step']:,}"
    assert (
        shown["expected_calibration_error"]
        == f"{100 * evaluation['expected_calibration_error']:.2f} %"
    )


def test_the_confusion_matrix_is_that_of_evaluation_json(run_dir: Path, page: str) -> None:
    evaluation = json.loads(Run(run_dir).evaluation_file.read_text("utf-8"))
    table = re.search(r'<table class="confusion">.*?</table>', page, re.S)
    assert table
    rows = [
        [int(cell.replace("·", "0")) for cell in re.findall(r"<td[^>]*>([^<]*)</td>", row)]
        for row in re.findall(r"<tr>.*?</tr>", table[0], re.S)[1:]
    ]
    assert rows == evaluation["confusion"]


def test_the_page_is_well_formed_and_loads_nothing_from_elsewhere(page: str) -> None:
    elements = Elements(page)
    assert not elements.open
    assert len(elements.ids) == len(set(elements.ids))
    for link in elements.links:
        assert link.startswith(("data:", "#")), link
    for mark in re.findall(r'(?:xlink:href="|href="|url\()#([^")]+)', page):
        assert mark in elements.ids
    assert "#0101" not in page  # no placeholder colour is left
    assert "#0102" not in page
    assert len(page) < 3_000_000


def test_the_page_shows_the_layers_and_the_settings(run_dir: Path, page: str) -> None:
    assert ">7,850<" in page
    about = json.loads(Run(run_dir).recipe_file.read_text("utf-8"))
    for value in (about["dataset_sha256"], about["versions"]["torch"], about["dataset"]):
        assert f">{value}<" in page


def test_a_name_that_is_markup_stays_text(run_dir: Path, tmp_path: Path) -> None:
    other = shutil.copytree(run_dir, tmp_path / "<b>&run")
    page = render([summarize(other, tiny_dataset())])
    assert "<b>" not in page
    assert "&lt;b&gt;&amp;run" in page


def test_several_runs_are_shown_side_by_side_with_their_differences_marked(tmp_path: Path) -> None:
    trained(tmp_path / "a" / "run")
    trained(tmp_path / "b" / "run", learning_rate=0.02)
    summaries = [summarize(tmp_path / name / "run", tiny_dataset()) for name in "ab"]
    page = render(summaries)
    Elements(page)
    assert page.count('class="hero"') == 2
    assert re.findall(r'<tr class="differs"><th scope="row">([^<]*)', page) == [
        "recipe: learning rate"
    ]
    for one in summaries:  # of the same name: distinguished by their paths
        assert str(one.path) in page


def test_the_command_writes_one_page_for_a_run_and_one_for_several(
    idx_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    for seed in ("0", "1"):
        flags = ["--network", "softmax", "--steps", "5", "--seed", seed, "--run-dir", f"r{seed}"]
        done = runner.invoke(cli, ["train", "--data", str(idx_folder), *flags, "--json"])
        assert done.exit_code == 0, done.output
        report = json.loads(done.stdout.splitlines()[-1])["report"]
        assert Path(report) == Path(f"r{seed}", "report", "index.html")
        Path(report).unlink()
    data = ["--data", str(idx_folder), "--json"]
    for dirs, name in ((["r0"], "index.html"), (["r0", "r1"], "comparison.html")):
        done = runner.invoke(cli, ["report", *dirs, *data])
        assert done.exit_code == 0, done.output
        path = Path(json.loads(done.stdout.splitlines()[-1])["path"])
        assert path == Path("r0", "report", name)
        assert "</html>" in path.read_text("utf-8")
    done = runner.invoke(cli, ["report", "r0", "--out", "new/page.html", *data])
    assert done.exit_code == 0
    assert Path("new/page.html").is_file()


def test_training_works_without_the_libraries_of_the_report(
    idx_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.modules["cnn_mnist.cli.report"], "find_spec", lambda name: None)
    flags = ["--data", str(idx_folder), "--network", "softmax", "--steps", "5", "--json"]
    done = CliRunner().invoke(cli, ["train", "--run-dir", "r", *flags])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["report"] is None
    assert not Path("r/report").exists()


def test_a_directory_without_a_run_or_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is not a run directory: it has no recipe\.json"):
        summarize(tmp_path, tiny_dataset())
    trained(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    with pytest.raises(RunError, match="holds no trained network"):
        summarize(tmp_path / "run", tiny_dataset())
    done = CliRunner().invoke(cli, ["report", str(tmp_path / "nothing"), "--data", "digits"])
    assert done.exit_code == 3
    assert "is not a run directory" in done.stderr


def test_a_page_that_cannot_be_written_is_an_export_error(run_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        write_report([summarize(run_dir, tiny_dataset())], tmp_path / "file" / "index.html")


def test_a_run_without_metrics_has_a_page(run_dir: Path, tmp_path: Path) -> None:
    other = shutil.copytree(run_dir, tmp_path / "run")
    Run(other).metrics_file.unlink()
    assert "no training metrics" in render([summarize(other, tiny_dataset())])


def test_a_torn_line_of_the_metrics_is_skipped(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert read_metrics(run) == []
    run.metrics_file.write_text('{"step": 1, "loss": 2.5}\n{"loss": 1}\n3\n{"step": 2, "lo')
    assert read_metrics(run) == [{"step": 1, "loss": 2.5}]


def test_a_confusion_matrix_of_many_classes_is_a_picture(tmp_path: Path) -> None:
    classes = np.arange(480, dtype=np.uint16) % 40
    images = np.random.default_rng(0).integers(0, 256, (480, 28, 28), dtype=np.uint8)
    whole = (images, classes.astype(np.uint8))
    dataset = Dataset.from_arrays("many", whole, (images[:80], whole[1][:80]))
    train(Run(tmp_path), tiny_recipe(steps=2), dataset, device="cpu")
    page = render([summarize(tmp_path, dataset)])
    assert '<table class="confusion">' not in page
    assert 'alt="Confusion matrix' in page
    assert page.count('<th scope="row">39</th>') >= 1, "the class is in a table all the same"
    assert "read as" in page


def test_classes_have_their_names_everywhere_and_no_name_becomes_a_tag(tmp_path: Path) -> None:
    data = tiny_dataset()
    names = ("<i>zero</i>", "$x$", *"23456789")
    named = replace(data, class_names=names)
    train(Run(tmp_path), tiny_recipe(steps=2), named, device="cpu")
    page = render([summarize(tmp_path, named)])
    assert "<i>zero" not in page
    for section in ("confusion", "classes", "mistakes", "activations"):
        part = page.split(f'<section id="{section}">')[1].split("</section>")[0]
        assert "&lt;i&gt;zero&lt;/i&gt;" in part, section
    assert "$x$" in page


@pytest.mark.parametrize("name", NETWORKS.names())
def test_the_activations_of_every_layer_of_every_network_are_shown(name: str) -> None:
    network = build(tiny_recipe(network=name, dropout=0.4), classes=10).eval()
    image = tiny_dataset().test.images[0]
    steps = activations(network, image)
    batch = torch.from_numpy(image.astype(np.float32) / 255)[None, None]
    with torch.inference_mode():
        assert np.array_equal(steps[-1].values, network(batch)[0].numpy())
    assert {step.name for step in steps} == {name for name, _ in network.named_modules()} - {""}
    for step in steps:
        assert pictures.data_uri(pictures.sheet(step.values)).startswith("data:image/png;base64,")


def test_the_first_kernels_are_the_first_layers_weights() -> None:
    network = build(tiny_recipe(network="cnn"), classes=10)
    weights = network.get_submodule("conv1").weight.detach().numpy()
    assert np.array_equal(kernels(network), weights[:, 0])
    dense = kernels(build(tiny_recipe(), classes=10))
    assert dense is not None
    assert dense.shape == (10, 28, 28)


class OwnNetwork(nn.Module):
    """A user's network, whose first layer takes the rows of an image."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.rows = nn.Linear(28, 16)
        self.logits = nn.Linear(28 * 16, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rows = self.rows(images.squeeze(1))
        logits: torch.Tensor = self.logits(rows.flatten(1))
        return logits


def test_the_report_works_for_a_network_of_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NETWORKS._parts, "own", lambda classes, *, dropout: OwnNetwork(classes))
    trained(tmp_path, network="own", steps=2)
    summary = summarize(tmp_path, tiny_dataset())
    assert summary.kernels is None
    assert summary.probabilities.sum() == pytest.approx(1)
    assert {layer.name: layer.values.shape for layer in summary.activations} == {
        "rows": (28 * 16,),
        "logits": (10,),
    }
    Elements(render([summary]))


def test_magnitude_is_opacity_and_sign_is_colour() -> None:
    pixels = np.asarray(pictures.signed(np.array([[1.0, -0.5, 0.0]], np.float32)))
    assert pixels[0, :, 3].tolist() == [255, 128, 0]
    assert pixels[0, 0, 2] > pixels[0, 0, 0]  # blue
    assert pixels[0, 1, 0] > pixels[0, 1, 2]  # orange


@pytest.mark.parametrize(("shape", "size"), [
    ((32, 5, 5), (47, 23)), ((10,), (10, 1)), ((1024,), (46, 23)), ((1, 28, 28), (28, 28)),
])  # fmt: skip
def test_a_sheet_has_a_place_for_every_value(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    values = np.ones(shape, np.float32)
    sheet = pictures.sheet(values)
    assert sheet.size == size
    assert (np.asarray(sheet)[..., 3] == 255).sum() == values.size


def test_a_digit_is_drawn_as_ink_on_transparent_paper() -> None:
    image = tiny_dataset().test.images[0]
    drawn: Image.Image = pictures.ink(image)
    assert np.array_equal(np.asarray(drawn)[..., 1], image)


def test_charts_are_reproducible_and_use_the_colours_of_the_page() -> None:
    metrics = [{"step": 1, "loss": 2.0, "accuracy": 0.5, "learning_rate": 0.1},
               {"step": 2, "validation_loss": 1.0, "validation_accuracy": 1.0}]  # fmt: skip
    drawn = charts.curves({"run": metrics})
    assert drawn == charts.curves({"run": metrics})
    for svg in drawn.values():
        assert "var(--ink)" in svg
        assert "var(--series-0)" in svg


def test_the_calibration_error_is_the_mean_gap_of_the_diagram() -> None:
    random = np.random.default_rng(0)
    confidence, correct = random.random(500), random.random(500) < 0.7
    bins = reliability(confidence, correct)
    assert len(bins) == BINS
    assert sum(count for count, _, _ in bins) == 500
    gap = sum(count * abs(sure - right) for count, sure, right in bins) / 500
    assert gap == pytest.approx(calibration_error(confidence, correct))


@pytest.mark.mnist
def test_the_page_of_a_real_run_shows_its_evaluation(
    mnist_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNN_MNIST_DATA", str(mnist_dir))
    monkeypatch.chdir(tmp_path)
    flags = ["--network", "softmax", "--steps", "200", "--run-dir", "r", "--data", "mnist"]
    done = CliRunner().invoke(cli, ["train", *flags, "--json"])
    assert done.exit_code == 0, done.output
    evaluation = json.loads(Path("r/evaluation.json").read_text("utf-8"))
    assert evaluation["n"] == 10_000
    page = Path("r/report/index.html").read_text("utf-8")
    assert f">{100 * evaluation['accuracy']:.2f} %<" in page
    assert json.dumps(evaluation["confusion"]) in page


def test_run_names_with_signs_of_matplotlib_are_drawn_as_they_are() -> None:
    rows = [{"step": 1, "loss": 1.0, "accuracy": 0.5}, {"step": 2, "loss": 0.5, "accuracy": 0.6}]
    drawn = curves({r"a$\frac$b": rows, "_hidden": rows})
    assert r"training, a$\frac$b" in drawn["loss"]
    assert "training, _hidden" in drawn["loss"]
