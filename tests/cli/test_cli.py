"""The command line's contract: JSON keys, exit codes, one line for a mistake."""

import csv
import errno
import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cnn_mnist.cli import cli
from cnn_mnist.data import digits, idx
from cnn_mnist.runs import checkpoint


def invoke(*args: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(cli, [str(arg) for arg in args], input=stdin)


def result_of(*args: object, stdin: bytes | None = None) -> Any:
    """The JSON object on the last line of a command that must succeed."""
    result = invoke(*args, "--json", stdin=stdin)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def refusal(*args: object, exit_code: int = 3) -> str:
    """The one line of a command that must fail."""
    result = invoke(*args)
    assert result.exit_code == exit_code, (result.exit_code, result.stderr, result.exception)
    errors = [line for line in result.stderr.splitlines() if line.lower().startswith("error: ")]
    assert len(errors) == 1, result.stderr
    assert "Traceback" not in result.output
    return errors[0]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A run directory, and what `train --json` said of it."""
    run_dir = tmp_path_factory.mktemp("cli") / "run"
    result = result_of(
        *("train", "--data", "digits", "--network", "small"),
        *("--steps", 400, "--run-dir", run_dir, "--seed", 1),  # sure enough to be rounded
    )
    return run_dir, result


@pytest.fixture
def seven(tmp_path: Path) -> Path:
    """A picture of a test digit, dark on white, on a larger canvas."""
    test = digits.load().test
    image = test.images[list(test.labels).index(7)]
    canvas = np.full((200, 300), 255, np.uint8)
    canvas[40:152, 100:212] = 255 - image.repeat(4, axis=0).repeat(4, axis=1)
    path = tmp_path / "seven.png"
    Image.fromarray(canvas).save(path)
    return path


def test_train_ends_with_an_evaluated_exported_model(trained: tuple[Path, Any]) -> None:
    run_dir, result = trained
    assert result["accuracy"] > 0.8
    assert result["global_step"] == 400
    assert result["dataset"] == "digits"
    assert result["train_seconds"] > 0
    assert result["loss"] > 0
    assert result["run_dir"] == str(run_dir)
    assert (run_dir / "model.onnx").is_file()
    evaluation = json.loads((run_dir / "evaluation.json").read_text())
    assert evaluation["accuracy"] == result["accuracy"]
    recipe = json.loads((run_dir / "recipe.json").read_text())
    assert recipe["seed"] == 1
    assert recipe["dataset"] == "digits"
    assert recipe["versions"]["torch"]
    assert recipe["machine"]["cores"] >= 1


def test_train_again_goes_on_with_the_run_s_own_recipe_and_seed(
    trained: tuple[Path, Any], tmp_path: Path
) -> None:
    first = result_of(
        *("train", "--data", "digits", "--network", "softmax", "--recipe", "tutorial"),
        *("--steps", 20, "--run-dir", tmp_path / "r", "--seed", 3),
    )
    second = result_of("train", "--run-dir", tmp_path / "r", "--steps", 40)
    assert (first["global_step"], second["global_step"]) == (20, 40)
    recipe = json.loads((tmp_path / "r" / "recipe.json").read_text())
    assert (recipe["seed"], recipe["recipe"]["network"]) == (3, "softmax")


def test_the_precision_that_is_asked_for_is_the_runs_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = result_of(
        *("train", "--data", "digits", "--network", "softmax", "--steps", 5),
        *("--precision", "bfloat16"),
    )
    run_dir = Path(result["run_dir"])
    assert run_dir.name == "standard-softmax-bfloat16-digits-seed0"
    recipe = json.loads((run_dir / "recipe.json").read_text("utf-8"))["recipe"]
    assert recipe["precision"] == "bfloat16"


def test_another_recipe_in_the_same_run_directory_is_refused_naming_the_fields(
    trained: tuple[Path, Any],
) -> None:
    line = refusal("train", "--recipe", "tutorial", "--data", "digits", "--run-dir", trained[0])
    assert "learning_rate: 0.002 -> 0.001" in line
    assert "network: 'small' -> 'cnn'" in line


def test_evaluate_gives_the_same_figures_for_a_run_and_its_model_file(
    trained: tuple[Path, Any],
) -> None:
    run_dir, result = trained
    run = result_of("evaluate", run_dir)
    file = result_of("evaluate", run_dir / "model.onnx", "--data", "digits")
    for key in ("accuracy", "loss", "global_step", "n", "confusion"):
        assert key in run
    assert run["accuracy"] == file["accuracy"] == result["accuracy"]
    assert run["confusion"] == file["confusion"]
    assert run["loss"] == pytest.approx(file["loss"], abs=1e-5)
    assert run["n"] == np.sum(run["confusion"]) == 297
    assert result_of("evaluate", run_dir, "--split", "validation")["n"] == 125


def test_evaluate_prints_a_report_for_people(trained: tuple[Path, Any]) -> None:
    text = invoke("evaluate", trained[0]).stdout
    assert "accuracy" in text
    assert "precision" in text


def test_predict_reads_files_folders_arrays_and_standard_input(
    trained: tuple[Path, Any], seven: Path, tmp_path: Path
) -> None:
    arrays = tmp_path / "digits.npy"
    np.save(arrays, digits.load().test.images[:5])
    result = result_of("predict", "--model", trained[0], seven, seven.parent, arrays)
    files = [image["file"] for image in result["images"]]
    assert files == [str(seven), str(seven), *(f"{arrays}#{number}" for number in range(5))]
    digit = result["images"][0]["digits"][0]
    assert result["images"][0]["text"] == "7"
    assert digit["class"] == 7
    assert digit["probability"] == max(digit["probabilities"])
    assert sum(digit["probabilities"]) == pytest.approx(1, abs=1e-5)
    left, top, right, bottom = digit["box"]
    assert 100 <= left < right <= 212
    assert 40 <= top < bottom <= 152
    stdin = result_of("predict", "--model", trained[0], "-", stdin=seven.read_bytes())
    assert stdin["images"][0]["text"] == "7"


def test_predict_prints_a_table_for_people(trained: tuple[Path, Any], seven: Path) -> None:
    head, row = invoke("predict", "--model", trained[0], seven).stdout.splitlines()
    assert head.split() == ["file", "text", "probabilities"]
    assert row.split()[:2] == [str(seven), "7"]
    assert row.endswith("%")


def test_predict_prints_csv_with_a_line_for_each_digit(
    trained: tuple[Path, Any], seven: Path
) -> None:
    head, row = csv.reader(
        invoke("predict", "--model", trained[0], "--csv", seven).stdout.splitlines()
    )
    assert head == [
        "file",
        "line",
        "class",
        "probability",
        "left",
        "top",
        "right",
        "bottom",
        "reason",
    ]
    assert row[:3] == [str(seven), "1", "7"]
    assert 0.5 < float(row[3]) <= 1
    assert row[-1] == ""
    assert invoke("predict", "--csv", "--json", seven).exit_code == 2


def test_predict_finds_the_files_of_a_pattern_that_no_shell_replaced(
    trained: tuple[Path, Any], seven: Path, tmp_path: Path
) -> None:
    for name in ("b.png", "a.png"):
        (tmp_path / name).write_bytes(seven.read_bytes())
    result = result_of("predict", "--model", trained[0], tmp_path / "[ab].png")
    assert [image["file"] for image in result["images"]] == [
        str(tmp_path / name) for name in ("a.png", "b.png")
    ]
    nothing = invoke("predict", "--model", trained[0], tmp_path / "*.gif")
    assert nothing.exit_code == 3
    assert "*.gif" in nothing.stderr


def test_predict_breaks_the_text_into_the_pictures_lines(
    trained: tuple[Path, Any], seven: Path, tmp_path: Path
) -> None:
    above = Image.open(seven).convert("L")
    page = Image.new("L", (above.width, 2 * above.height), above.getpixel((0, 0)))
    page.paste(above, (0, 0))
    page.paste(above, (0, above.height))
    page.save(tmp_path / "two.png")
    run = ("predict", "--model", trained[0], tmp_path / "two.png")
    assert result_of(*run)["images"][0]["text"] == "77"
    assert result_of(*run, "--lines")["images"][0]["text"] == "7\n7"
    _, first, second = invoke(*run, "--lines").stdout.splitlines()
    assert first.split()[1] == second.strip() == "7"


def test_predict_explains_one_picture_in_a_drawing(
    trained: tuple[Path, Any], seven: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.png"
    run = ("predict", "--model", trained[0], "--explain", sheet)
    assert invoke(*run, seven).exit_code == 0
    with Image.open(sheet) as drawn:
        assert drawn.format == "PNG"
        assert drawn.width == 960
    assert invoke(*run, seven, seven).exit_code == 2
    assert "cannot be written" in refusal(
        "predict", "--model", trained[0], "--explain", tmp_path / "no" / "x.png", seven
    )


def test_predict_reports_a_bad_file_reads_the_others_and_exits_3(
    trained: tuple[Path, Any], seven: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    result = invoke("predict", "--model", trained[0], bad, seven, "--json")
    assert result.exit_code == 3
    assert str(bad) in result.stderr
    answer = json.loads(result.stdout.splitlines()[-1])
    assert [image["text"] for image in answer["images"]] == ["7"]
    assert [error["file"] for error in answer["errors"]] == [str(bad)]


def test_predict_gives_what_it_read_of_a_truncated_array(
    trained: tuple[Path, Any], tmp_path: Path
) -> None:
    arrays = tmp_path / "images.idx"
    idx.write(arrays, np.tile(digits.load().test.images[:1], (300, 1, 1)))
    arrays.write_bytes(arrays.read_bytes()[:-1])
    result = invoke("predict", "--model", trained[0], arrays, "--json")
    assert result.exit_code == 3
    answer = json.loads(result.stdout)
    assert len(answer["images"]) == 256  # the whole batches
    assert "truncated" in answer["errors"][0]["error"]


def test_predict_heads_each_page_of_a_long_table(trained: tuple[Path, Any], tmp_path: Path) -> None:
    np.save(tmp_path / "many.npy", np.tile(digits.load().test.images[:1], (1001, 1, 1)))
    lines = invoke("predict", "--model", trained[0], tmp_path / "many.npy").stdout.splitlines()
    heads = [number for number, line in enumerate(lines) if line.startswith("file ")]
    assert heads == [0, 1001]
    assert len(lines) == 1003


def test_trials_give_mean_sd_n_and_each_run(tmp_path: Path) -> None:
    result = result_of(
        *("trials", "--data", "digits", "--network", "softmax", "--steps", 30),
        *("--n", 2, "--run-dir", tmp_path / "t"),
    )
    assert result["n"] == len(result["accuracies"]) == 2
    assert result["mean"] == pytest.approx(np.mean(result["accuracies"]))
    assert result["sd"] == pytest.approx(np.std(result["accuracies"], ddof=1))
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == ["seed-0", "seed-1"]


def test_export_writes_the_model_again_and_says_how_near_it_is(trained: tuple[Path, Any]) -> None:
    (trained[0] / "model.onnx").unlink()
    result = result_of("export", trained[0])
    assert result["path"] == str(trained[0] / "model.onnx")
    assert result["argmax_equal"] is True
    assert result["max_abs_diff"] <= 1e-4
    assert result["n"] == 297
    assert (trained[0] / "model.onnx").is_file()


def test_export_lays_out_a_triton_repository(trained: tuple[Path, Any], tmp_path: Path) -> None:
    result = result_of("export", trained[0], "--triton", "--output", tmp_path)
    assert Path(result["path"]) == tmp_path / "cnn-mnist" / "1" / "model.onnx"
    assert Path(result["config"]) == tmp_path / "cnn-mnist" / "config.pbtxt"
    assert Path(result["path"]).is_file()


def test_export_in_8_bit_arithmetic_reads_the_same_and_shows_the_same_layers(
    trained: tuple[Path, Any], tmp_path: Path
) -> None:
    small = tmp_path / "small.onnx"
    result = result_of("export", trained[0], "--output", small, "--arithmetic", "int8")
    assert result["changed"] <= 0.0005 * result["n"]
    assert small.stat().st_size < 0.45 * (trained[0] / "model.onnx").stat().st_size
    ours, theirs = (
        [(layer["name"], layer["parameters"]) for layer in result_of("model", path)["layers"]]
        for path in (small, trained[0] / "model.onnx")
    )
    assert ours == theirs
    said = refusal("export", trained[0], "--format", "keras", "--arithmetic", "int8", exit_code=2)
    assert "--arithmetic int8 is of --format onnx only" in said


def test_export_writes_a_small_calibrated_file_elsewhere(
    trained: tuple[Path, Any], tmp_path: Path
) -> None:
    before = (trained[0] / "model.onnx").read_bytes()
    small = tmp_path / "small.onnx"
    result = result_of("export", trained[0], "--output", small, "--calibrated", "--weights", "int8")
    assert result["path"] == str(small)
    assert small.stat().st_size < len(before) / 3
    assert (trained[0] / "model.onnx").read_bytes() == before
    scores = [
        result_of("evaluate", path, "--data", "digits", "--split", "validation")["loss"]
        for path in (trained[0], small)
    ]
    assert scores[1] < scores[0]  # the temperature was fitted on these very images


def test_evaluate_draws_its_mistakes(trained: tuple[Path, Any], tmp_path: Path) -> None:
    for number, target in enumerate((trained[0], trained[0] / "model.onnx")):
        sheet = tmp_path / f"{number}.png"
        result_of("evaluate", target, "--data", "digits", "--mistakes", sheet)
        with Image.open(sheet) as image:
            assert image.width > 128
    assert (tmp_path / "0.png").read_bytes() == (tmp_path / "1.png").read_bytes()


def test_evaluate_that_cannot_draw_has_told_its_figures(
    trained: tuple[Path, Any], tmp_path: Path
) -> None:
    target = trained[0] / "model.onnx"
    nowhere = tmp_path / "nowhere" / "sheet.png"
    result = invoke("evaluate", target, "--data", "digits", "--mistakes", nowhere)
    assert result.exit_code == 3
    assert "accuracy" in result.stdout
    assert f"{nowhere} cannot be written" in result.stderr


@pytest.mark.parametrize(("verb", "option"), [("evaluate", "--mistakes"), ("predict", "--explain")])
def test_a_drawing_that_would_be_no_png_is_refused(verb: str, option: str, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jpg"
    assert f"{sheet} is to be a PNG file" in refusal(verb, option, sheet, "x", exit_code=2)


def test_model_shows_the_same_parameters_for_a_network_a_run_and_a_file(
    trained: tuple[Path, Any],
) -> None:
    assert result_of("model")["parameters"] == 3_274_634
    network, run, file = (
        result_of("model", target) for target in ("small", trained[0], trained[0] / "model.onnx")
    )
    assert network["parameters"] == run["parameters"]
    # in the file the normalisation behind the dense layer is part of it
    assert file["parameters"] == network["parameters"] - 2 * 256
    assert network["flops"] == file["flops"]
    assert [layer["name"] for layer in network["layers"]][:2] == ["crop", "conv1"]
    assert "3,274,634" in invoke("model").stdout


def test_data_lists_and_verifies(mnist_dir: Path) -> None:
    assert [row["name"] for row in result_of("data", "list")["datasets"]] == ["mnist", "digits"]
    verified = result_of("data", "verify", "mnist", "--data-dir", mnist_dir)
    assert verified["files"]["train-images-idx3-ubyte"] == [60000, 28, 28]


def test_a_data_set_of_one_s_own_brings_its_classes(idx_folder: Path, tmp_path: Path) -> None:
    result = result_of(
        *("train", "--data", idx_folder, "--network", "softmax", "--steps", 5),
        *("--run-dir", tmp_path / "own"),
    )
    assert result["dataset"] == idx_folder.name
    assert "with --data" in refusal("evaluate", tmp_path / "own")
    assert result_of("evaluate", tmp_path / "own", "--data", idx_folder)["global_step"] == 5


def test_tensors_are_logged_every_n_steps(tmp_path: Path) -> None:
    result = invoke(
        *("train", "--data", "digits", "--network", "softmax", "--steps", 20),
        *("--run-dir", tmp_path / "r", "--log-tensors", "probabilities", "--log-every", 10),
    )
    assert "step 10: probabilities = [[" in result.stderr
    assert "step 20: probabilities = [[" in result.stderr
    assert result.stderr.count("probabilities = ") == 2


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["train", "--steps", "-1"], "--steps"),
        (["train", "--recipe", "none"], "--recipe"),
        (["train", "--nothing"], "--nothing"),
        (["export"], "R"),
        (["nothing"], "nothing"),
        (["data", "fetch", "nothing"], "nothing"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(args: list[str], says: str) -> None:
    assert says in refusal(*args, exit_code=2)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["train", "--data", "nowhere"], "nowhere"),
        (["train", "--data-dir", "nowhere"], "nowhere"),
        (["train", "--data", "digits", "--log-tensors", "nothing", "--run-dir", "r"], "nothing"),
        (["evaluate", "nowhere"], "nowhere"),
        (["evaluate", "."], "holds no trained network"),
        (["predict", "--model", "nowhere", "x.png"], "nowhere"),
        (["export", "nowhere"], "nowhere"),
        (["model", "nowhere"], "nowhere"),
        (["data", "verify", "mnist"], "not on this machine"),
    ],
)
def test_a_wrong_place_is_one_line_and_exit_code_3(
    args: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in refusal(*args)


@pytest.mark.parametrize("damage", ["truncated", "oversized", "missing", "swapped", "garbage"])
def test_a_damaged_data_file_is_named_and_the_run_before_stays_whole(
    damage: str, idx_folder: Path, tmp_path: Path
) -> None:
    run = ("train", "--data", idx_folder, "--network", "softmax", "--run-dir", tmp_path / "r")
    result_of(*run, "--steps", 5)
    images = idx_folder / "train-images-idx3-ubyte.gz"
    labels = idx_folder / "train-labels-idx1-ubyte.gz"
    content = images.read_bytes()
    match damage:
        case "truncated":
            images.write_bytes(content[:-100])
        case "oversized":
            images.write_bytes(gzip.compress(gzip.decompress(content) + b"0"))
        case "missing":
            images.unlink()
        case "swapped":
            labels.rename(images)
        case "garbage":
            images.write_bytes(b"garbage" * 100)
    assert str(images).removesuffix(".gz") in refusal(*run, "--steps", 10)
    evaluation = json.loads((tmp_path / "r" / "evaluation.json").read_text())
    assert evaluation["global_step"] == 5
    assert len(list((tmp_path / "r" / "checkpoints").iterdir())) == 1


def test_a_full_disk_is_one_line_and_earlier_checkpoints_stay_whole(
    trained: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = (
        *("train", "--data", "digits", "--network", "softmax", "--recipe", "tutorial"),
        *("--run-dir", tmp_path / "r"),
    )
    result_of(*run, "--steps", 10)

    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_synced", full)
        assert "No space left on device" in refusal(*run, "--steps", 20)
    assert result_of("evaluate", tmp_path / "r")["global_step"] == 10
    assert result_of(*run, "--steps", 20)["global_step"] == 20


@pytest.fixture
def forbidden(tmp_path: Path) -> Iterator[Path]:
    """A directory that this process may look into and not write to."""
    place = tmp_path / "forbidden"
    place.mkdir(mode=0o555)
    if os.geteuid() != 0:
        yield place
        return
    invoke("train", "--help")  # what is imported late lies where only root may read
    result_of(
        "train",
        "--data",
        "digits",
        "--network",
        "softmax",
        "--steps",
        1,
        "--run-dir",
        tmp_path / "warm",
    )
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    os.seteuid(65534)
    yield place
    os.seteuid(0)


def test_a_directory_without_permission_is_one_line(forbidden: Path) -> None:
    line = refusal(
        *("train", "--data", "digits", "--network", "softmax", "--steps", 1),
        *("--run-dir", forbidden / "run"),
    )
    assert "Permission denied" in line
    assert str(forbidden / "run") in line


def test_ctrl_c_writes_a_checkpoint_and_exits_130(tmp_path: Path) -> None:
    run_dir = tmp_path / "r"
    command = [sys.executable, "-m", "cnn_mnist", "train", "--data", "digits"]
    command += ["--network", "softmax", "--recipe", "tutorial", "--run-dir", str(run_dir)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("step "):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert "train again to go on" in rest
    step = max(int(path.name[5:]) for path in (run_dir / "checkpoints").iterdir())
    assert 0 < step < 20_000


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_the_verbs(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_CNN_MNIST_COMPLETE", f"{shell}_source")
    result = CliRunner().invoke(cli, [], prog_name="cnn-mnist")
    assert "cnn-mnist" in result.stdout
    assert f"{shell}_complete" in result.stdout


def test_every_verb_has_help() -> None:
    verbs = [
        *("train", "evaluate", "predict", "serve", "trials", "report"),
        *("export", "import", "model", "data"),
    ]
    assert list(cli.commands) == verbs
    for verb in verbs:
        assert invoke(verb, "--help").exit_code == 0
