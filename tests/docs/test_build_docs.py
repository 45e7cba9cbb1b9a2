"""`tools/build_docs.py` writes the pages and names those that are stale."""

import sys
from pathlib import Path

import pytest
from jinja2 import UndefinedError

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

import build_docs


def test_a_stale_page_is_named_and_then_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text("old", "utf-8")
    monkeypatch.setattr(build_docs, "ROOT", tmp_path)
    monkeypatch.setattr(build_docs, "build", lambda: {page: "new"})
    monkeypatch.setattr(sys, "argv", ["build_docs.py", "--check"])
    with pytest.raises(SystemExit, match=r"stale: page\.md"):
        build_docs.main()
    assert page.read_text("utf-8") == "old"
    monkeypatch.setattr(sys, "argv", ["build_docs.py"])
    build_docs.main()
    assert page.read_text("utf-8") == "new"


def test_a_figure_that_no_result_has_is_an_error() -> None:
    page = build_docs.template_environment({}).from_string("{{ results.missing.mean | percent }}")
    with pytest.raises(UndefinedError, match="missing"):
        page.render()


def test_accuracies_are_written_with_their_spread() -> None:
    runs = {"mean": 0.9938, "sd": 0.000346, "n": 3}
    assert build_docs.mean_sd_n(runs) == "99.38 % ± 0.03 % (n = 3)"
