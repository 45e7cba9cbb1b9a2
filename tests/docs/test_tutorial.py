"""The code of the tutorial runs, and its pictures are those that its script draws."""

import os
import re
import shutil
import sys
from pathlib import Path

import matplotlib
import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = ("tutorial", "tutorial.zh-CN")

sys.path.insert(0, str(ROOT / "tools"))

import draw_docs  # noqa: E402
from build_docs import meaning  # noqa: E402
from markdown_blocks import blocks  # noqa: E402

# Short settings for the code of the notebook: scikit-learn's digits, few steps.
SHORT = {
    'load("mnist")': 'load("digits")',
    "max_steps=100": "max_steps=4",
    "every=50": "every=2",
    "range(1, 61)": "range(1, 3)",
    "--steps 200": "--steps 6",
    "train --run-dir runs/standard": "train --run-dir runs/standard --steps 4 --data digits",
    "trials --n 3": "trials --n 2 --steps 2 --network softmax --data digits",
}


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text("utf-8")


def test_both_languages_have_the_same_code() -> None:
    english, chinese = (
        [(block.language, meaning(block.language, block.code)) for block in blocks(page(name))]
        for name in PAGES
    )
    assert english == chinese


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_exists_and_every_existing_one_is_shown(name: str) -> None:
    shown = page(name) + (DOCS / "performance.md").read_text("utf-8")
    named = set(re.findall(r"!\[[^\]]+\]\(pictures/([^)]+)\)", shown))
    there = {path.name for path in (DOCS / "pictures").iterdir()}
    assert there == named | {"my-digit.png"}  # which the code reads


def test_the_charts_are_as_their_script_draws_them_from_the_results() -> None:
    for name, svg in draw_docs.drawn_from_results().items():
        drawn = (DOCS / "pictures" / name).read_text("utf-8")
        if f"matplotlib {matplotlib.__version__}<" in drawn:  # another one draws other curves
            assert drawn == svg, "run: python tools/draw_docs.py"
        assert "var(--ink)" in drawn


def test_the_notebook_runs_from_its_first_cell_to_its_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    shutil.copy(DOCS / "pictures" / "my-digit.png", tmp_path)
    book = nbformat.reads((DOCS / "tutorial.ipynb").read_text("utf-8"), as_version=4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    used = set()
    for cell in code:
        for long, short in SHORT.items():
            if long in cell.source:
                used.add(long)
                cell.source = cell.source.replace(long, short)
        if cell.source.startswith("!"):  # a failing command does not fail its cell
            cell.source += "\nassert _exit_code == 0"
    assert used == set(SHORT)
    NotebookClient(book, timeout=1800, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert all(cell.execution_count for cell in code)
    assert (tmp_path / "runs" / "standard" / "report" / "index.html").is_file()
    assert (tmp_path / "sheet.png").is_file()
