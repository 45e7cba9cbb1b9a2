"""The page "Bring your own" is right: its commands, its recipe and its network."""

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cnn_mnist.cli import cli
from cnn_mnist.recipe import named
from cnn_mnist.recipe_text import load_recipe

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "bring-your-own.md", DOCS / "bring-your-own.zh-CN.md"]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text("utf-8"), re.M | re.S)


def commands(path: Path) -> list[str]:
    lines = "".join(blocks(path, "bash")).splitlines()
    return [re.sub(r"  +#.*", "", line) for line in lines]


def test_both_languages_have_the_same_commands_and_code() -> None:
    english, chinese = (
        commands(page) + blocks(page, "python") + blocks(page, "toml") for page in PAGES
    )
    assert english == chinese


@pytest.mark.parametrize("command", commands(PAGES[0]))
def test_a_command_has_flags_that_exist(command: str) -> None:
    words = shlex.split(command)
    assert words[0] == "cnn-mnist"
    group: click.Command = cli
    while isinstance(group, click.Group):
        words = words[1:]
        found = group.get_command(click.Context(group), words[0])
        assert found is not None, words[0]
        group = found
    group.make_context(words[0], words[1:])  # a usage error is raised here


def test_the_recipe_in_a_file_is_the_base_with_its_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text(blocks(PAGES[0], "toml")[0], "utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_recipe("mine.toml") == named(
        "standard",
        name="mine",
        learning_rate=0.01,
        schedule="cosine",
        optimizer_options={"eps": 1e-6},
    )


def test_the_network_of_the_page_is_trained_and_predicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_nets.py").write_text(blocks(PAGES[0], "python")[0], "utf-8")
    own = ["--network", "my_nets.py:wide"]
    for arguments in (
        ["model", "my_nets.py:wide"],
        ["train", *own, "--run-dir", "runs/wide", "--data", "digits", "--steps", "2"],
        ["evaluate", "runs/wide", *own],
    ):
        done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
    assert (tmp_path / "runs" / "wide" / "model.onnx").exists()
