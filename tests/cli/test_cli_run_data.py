"""A run remembers where its own data is: the commands that use it again need not be told."""

import json
from pathlib import Path

import pytest
from commands import invoke, refusal, result_of
from PIL import Image

from cnn_mnist.data.origin import Origin


@pytest.fixture
def run(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run on those pictures as they are, named by a relative path from another directory."""
    monkeypatch.chdir(pictures)
    result_of(
        *("train", "--data", ".", "--as-is", "--network", "softmax", "--steps", 2),
        *("--run-dir", tmp_path / "run"),
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path / "run"


def test_every_command_finds_the_data_of_a_run_again(run: Path) -> None:
    for command in (
        ("evaluate", run),
        ("export", run, "--calibrated"),
        ("report", run),
        ("compare", run, run),
        ("train", "--run-dir", run, "--steps", 4),
    ):
        done = invoke(*command)
        assert done.exit_code == 0, done.stderr
        assert "another data set" not in done.stderr
    assert result_of("evaluate", run)["global_step"] == 4
    assert result_of("evaluate", run, "--split", "validation")["n"] == 2


def test_a_run_goes_on_with_moved_data_and_remembers_the_new_place(
    run: Path, pictures: Path, tmp_path: Path
) -> None:
    moved = pictures.rename(tmp_path / "moved")
    for command in (("evaluate", run), ("report", run), ("train", "--run-dir", run)):
        line = refusal(*command)
        assert f"was trained on the data set in {pictures}, which does not exist any more" in line
        assert "--data" in line
    again = ("train", "--run-dir", run, "--data", "moved", "--as-is", "--steps", 3)
    assert result_of(*again)["global_step"] == 3
    kept = json.loads((run / "recipe.json").read_text())["data_origin"]
    assert kept == {"path": str(moved), "as_is": True}
    assert result_of("evaluate", run)["global_step"] == 3


@pytest.mark.parametrize("fault", ["another picture", "broken", "empty class"])
def test_data_that_has_changed_is_refused_with_its_path(
    fault: str, run: Path, pictures: Path
) -> None:
    match fault:
        case "another picture":
            Image.new("L", (56, 56), 77).save(pictures / "cat" / "0.png")
        case "broken":
            for path in (pictures / "cat").iterdir():
                path.write_bytes(b"broken")
        case "empty class":
            (pictures / "cow").mkdir()
    for command in (("evaluate", run), ("train", "--run-dir", run, "--steps", 3)):
        line = refusal(*command)
        assert str(pictures) in line
        assert "--data" in line
    assert len(list((run / "checkpoints").iterdir())) == 1


def test_a_run_that_does_not_say_where_its_data_is_asks_for_it(run: Path, pictures: Path) -> None:
    content = json.loads((run / "recipe.json").read_text())
    del content["data_origin"]  # as older versions wrote it
    (run / "recipe.json").write_text(json.dumps(content))
    assert "was trained on 'pets': say where it is with --data" in refusal("evaluate", run)
    assert result_of("evaluate", run, "--data", pictures, "--as-is")["n"] == 4


def test_data_with_a_name_stays_a_name(tmp_path: Path) -> None:
    result_of(
        *("train", "--data", "digits", "--network", "softmax", "--steps", 2),
        *("--run-dir", tmp_path / "r"),
    )
    assert "data_origin" not in json.loads((tmp_path / "r" / "recipe.json").read_text())
    assert result_of("evaluate", tmp_path / "r")["dataset"] == "digits"


@pytest.mark.usefixtures("no_mirrors")
@pytest.mark.filterwarnings("ignore:MNIST is not available")
def test_a_fine_tuned_run_finds_its_pictures_and_what_was_mixed_in(
    idx_folder: Path, tmp_path: Path
) -> None:
    toml = tmp_path / "mine.toml"
    toml.write_text('base = "standard"\nreplay = 0.75\nsteps = 4\ncheckpoint_every = 2\n')
    first = result_of(
        *("train", "--recipe", toml, "--data", idx_folder, "--run-dir", tmp_path / "r"),
    )
    scored = result_of("evaluate", tmp_path / "r")
    assert (scored["accuracy"], scored["n"]) == (first["accuracy"], 30)
    refused = ("train", "--run-dir", tmp_path / "r", "--steps", 6, "--as-is")
    assert "name it with --data" in refusal(*refused, exit_code=2)
    again = result_of("train", "--run-dir", tmp_path / "r", "--steps", 6)
    assert (again["global_step"], again["known_dataset"]) == (6, "digits")


@pytest.mark.parametrize(
    "values", [None, "x", {}, {"path": "x", "as_is": True}, {"path": "/x", "as_is": 1}]
)
def test_an_impossible_origin_is_a_value_error(values: object) -> None:
    with pytest.raises(ValueError, match="does not say where a data set was read"):
        Origin.from_dict(values)
