"""The run directory: its paths, its identity, its JSON files."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tiny import tiny_dataset, tiny_recipe

from cnn_mnist.data.origin import Origin
from cnn_mnist.errors import CnnMnistWarning, RunError
from cnn_mnist.runs.identity import (
    Identity,
    data_of_run,
    data_source,
    read_identity,
    write_identity,
)
from cnn_mnist.runs.json_files import read_json, write_json
from cnn_mnist.runs.run import Run, read_metrics


@pytest.fixture
def identity() -> Identity:
    return Identity.of(tiny_recipe(), tiny_dataset(), 7)


def test_a_run_directory_has_the_documented_paths(tmp_path: Path) -> None:
    run = Run(tmp_path)
    paths = run.recipe_file, run.metrics_file, run.checkpoints, run.model_file, run.evaluation_file
    assert [str(path.relative_to(tmp_path)) for path in paths] == [
        "recipe.json",
        "metrics.jsonl",
        "checkpoints",
        "model.onnx",
        "evaluation.json",
    ]


def test_an_identity_is_read_as_it_was_written(identity: Identity, tmp_path: Path) -> None:
    run = Run(tmp_path / "not" / "there yet")
    write_identity(run, identity)
    assert read_identity(run) == identity
    assert identity.classes == 10


def test_the_recipe_file_holds_versions_and_machine(identity: Identity, tmp_path: Path) -> None:
    write_identity(Run(tmp_path), identity)
    content = json.loads((tmp_path / "recipe.json").read_text())
    assert content["recipe"] == tiny_recipe().to_dict()
    assert (content["dataset"], content["seed"]) == ("tiny", 7)
    assert content["dataset_sha256"] == tiny_dataset().sha256
    assert {"python", "torch", "numpy"} <= content["versions"].keys()
    assert content["machine"]["cores"] >= 1


def test_an_empty_directory_has_no_identity(tmp_path: Path) -> None:
    assert read_identity(Run(tmp_path)) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"recipe": {}}',
        b'{"recipe": {"name": "x", "learning_rate": 1, "steps": -1}}',
    ],
)
def test_a_damaged_recipe_file_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_bytes(content)
    with pytest.raises(RunError, match=r"recipe\.json is damaged"):
        read_identity(Run(tmp_path))


@pytest.mark.parametrize("key", ["recipe", "dataset", "dataset_sha256", "classes", "seed"])
def test_a_recipe_file_without_one_of_its_keys_is_damaged(
    key: str, identity: Identity, tmp_path: Path
) -> None:
    run = Run(tmp_path)
    write_identity(run, identity)
    content = json.loads(run.recipe_file.read_text())
    del content[key]
    run.recipe_file.write_text(json.dumps(content))
    with pytest.raises(RunError, match=f"damaged.*{key}"):
        read_identity(run)


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").mkdir()
    with pytest.raises(RunError, match=r"recipe\.json cannot be read"):
        read_json(tmp_path / "recipe.json")
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"evaluation\.json cannot be written"):
        write_json(tmp_path / "file" / "evaluation.json", {})


def test_a_file_above_the_size_limit_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").touch()
    os.truncate(tmp_path / "recipe.json", 1 << 40)
    with pytest.raises(RunError, match=r"recipe\.json cannot be read: larger than the limit"):
        read_identity(Run(tmp_path))


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"loss": 1.0})
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert read_json(tmp_path / "a.json") == {"loss": 1.0}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_differences_name_what_would_give_other_weights(identity: Identity) -> None:
    other = replace(
        identity,
        recipe=tiny_recipe(dropout=0.1, steps=99, log_every=7, checkpoint_every=3, name="mine"),
        dataset="other",
        dataset_sha256="0123456789abcdef",
        seed=8,
    )
    mine = identity.dataset_sha256[:12]
    assert identity.differences(other) == [
        "dropout: 0.4 -> 0.1",
        f"dataset: 'tiny' -> 'other' (SHA-256 {mine}... -> 0123456789ab...)",
        "seed: 7 -> 8",
    ]
    assert identity.differences(identity) == []


def test_a_data_set_is_known_by_its_content_and_not_by_its_name(identity: Identity) -> None:
    assert identity.differences(replace(identity, dataset="moved")) == []
    (line,) = identity.differences(replace(identity, dataset_sha256="0" * 64))
    assert line.startswith("dataset: 'tiny' has other images, labels or class names now, or ")


def test_class_names_are_kept_and_a_run_without_them_has_the_numbers(
    identity: Identity, tmp_path: Path
) -> None:
    run = Run(tmp_path)
    named = replace(identity, class_names=tuple("ABCDEFGHIJ"))
    write_identity(run, named)
    assert read_identity(run) == named
    content = json.loads(run.recipe_file.read_text())
    del content["class_names"]
    run.recipe_file.write_text(json.dumps(content))
    old = read_identity(run)
    assert old
    assert old.class_names == tuple("0123456789")


@pytest.mark.parametrize("names", [["A"], ["A"] * 10, 7, "ABCDEFGHIJ", ["\x1b[1m", *"BCDEFGHIJ"]])
def test_a_recipe_file_with_impossible_class_names_is_damaged(
    names: object, identity: Identity, tmp_path: Path
) -> None:
    run = Run(tmp_path)
    write_identity(run, identity)
    content = json.loads(run.recipe_file.read_text()) | {"class_names": names}
    run.recipe_file.write_text(json.dumps(content))
    with pytest.raises(RunError, match=r"recipe\.json is damaged"):
        read_identity(run)


def test_data_that_only_has_the_name_of_the_runs_is_not_taken_for_it(identity: Identity) -> None:
    own = replace(identity, dataset="digits")  # another folder of that name, in version 0.1
    other = tiny_dataset("digits", seed=1)
    with pytest.raises(RunError, match=r"r was trained on another data set with the name 'digits'"):
        data_of_run("r", own, other, asked=False)
    with pytest.warns(CnnMnistWarning, match="this is another data set, digits"):
        assert data_of_run("r", own, other, asked=True) is other


def test_the_path_of_a_users_own_data_is_kept_and_never_guessed(
    identity: Identity, tmp_path: Path
) -> None:
    assert data_source(replace(identity, dataset="mnist"), "r") == ("mnist", False)
    with pytest.raises(RunError, match=r"r was trained on 'tiny'.*--data"):
        data_source(identity, "r")
    kept = replace(identity, origin=Origin.of("tiny", as_is=True))
    write_identity(Run(tmp_path), kept)
    assert read_identity(Run(tmp_path)) == kept
    assert data_source(kept, "r") == (str(Path.cwd() / "tiny"), True)
    assert not identity.differences(kept)


def test_a_line_of_metrics_that_is_nested_too_deeply_is_skipped(tmp_path: Path) -> None:
    lines = ['{"step": 1, "loss": 2.0}', "[" * 100_000, '{"step": 2, "loss": 1.0}']
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    assert [row["step"] for row in read_metrics(Run(tmp_path))] == [1, 2]
