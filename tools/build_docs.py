"""Write the pages that hold numbers: docs/templates/ filled in from benchmarks/results/.

    python tools/build_docs.py            # write all of them
    python tools/build_docs.py --check    # exit 1 and name those that are stale

Templates are jinja2. They see `results`, which maps the name of each results file to its content,
and the formats below as filters. A template whose name begins with `_` is a part of others. The
tutorial also shows what its code printed (from tutorial_page.json, which tools/run_tutorial.py
writes), and is written as notebooks too.
"""

import argparse
import ast
import json
import statistics
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_blocks import blocks, pieces
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parent.parent
TEMPLATES = ROOT / "docs" / "templates"
RESULTS = ROOT / "benchmarks" / "results"
TUTORIAL = ("tutorial.md", "tutorial.zh-CN.md")
ELSEWHERE = {
    "README.md": ROOT / "README.md",
    "README.zh-CN.md": ROOT / "README.zh-CN.md",
    "model_card.md": ROOT / "src" / "cnn_mnist" / "inference" / "bundled" / "README.md",
}
"""The pages that are not written into docs/."""


def main() -> None:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, name stale pages")
    check = parser.parse_args().check
    stale = [(path, text) for path, text in build().items() if text != content(path)]
    if check and stale:
        names = ", ".join(str(path.relative_to(ROOT)) for path, _ in stale)
        raise SystemExit(f"error: stale: {names}; write them with: python tools/build_docs.py")
    for path, text in stale:
        path.write_text(text, "utf-8")
        print(path.relative_to(ROOT))


def content(path: Path) -> str:
    """Return the text of a file, "" if there is none."""
    return path.read_text("utf-8") if path.exists() else ""


def build() -> dict[Path, str]:
    """Return the text of every generated file."""
    results = {path.stem: json.loads(path.read_text("utf-8")) for path in RESULTS.glob("*.json")}
    environment = template_environment(results)
    files = {}
    for template in sorted(TEMPLATES.glob("[!_]*.md")):
        text = template.read_text("utf-8")
        printed = outputs(text, results["tutorial_page"]) if template.name in TUTORIAL else []
        # each {{ output }} shows the next of them
        page = environment.from_string(text.replace("{{ output }}", "{{ output() }}"))
        path = ELSEWHERE.get(template.name, ROOT / "docs" / template.name)
        source = template.relative_to(ROOT).as_posix()
        files[path] = (
            f"<!-- Written by tools/build_docs.py from {source}: edit that file. -->\n\n"
            + page.render(output=iter(printed).__next__)
        )
        if template.name in TUTORIAL:
            files[path.with_suffix(".ipynb")] = notebook(files[path])
    return files


def template_environment(results: dict[str, Any]) -> Environment:
    """Return the jinja environment: results, formats, and an error for a name that is unknown."""
    environment = Environment(  # noqa: S701 - Markdown, and our own
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(results=results, parameters=parameters)
    environment.filters.update(
        duration=duration,
        from_json=json.loads,
        mean=statistics.mean,
        mean_sd=mean_sd,
        mean_sd_n=mean_sd_n,
        mistakes=mistakes,
        number=number,
        percent=percent,
        scientific=scientific,
    )
    return environment


def number(value: float, digits: int = 0) -> str:
    """Format with thousands separated: 20,000 or 1.62."""
    return f"{value:,.{digits}f}"


def scientific(value: float) -> str:
    """Format as 1.9e-06."""
    return f"{value:.1e}"


def percent(share: float, digits: int = 2) -> str:
    """Format a share of 1 as 99.70 %."""
    return f"{100 * share:.{digits}f} %"


def mean_sd(runs: dict[str, Any]) -> str:
    """Format the accuracy of several runs as 96.95 % ± 0.12 %."""
    return f"{percent(runs['mean'])} ± {percent(runs['sd'])}"


def mean_sd_n(runs: dict[str, Any]) -> str:
    """Format the accuracy of several runs as 96.95 % ± 0.12 % (n = 3)."""
    return f"{mean_sd(runs)} (n = {runs['n']})"


def mistakes(runs: dict[str, Any]) -> float:
    """Return the mean number of mistakes of several runs in 10,000 images."""
    return 10_000 * (1 - runs["mean"])


def duration(seconds: float) -> str:
    """Format as 64 s, or from 100 s on as 13.5 min."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def parameters(recipe: dict[str, Any]) -> int:
    """Return how many parameters the network of a recipe has, for ten classes."""
    from cnn_mnist.networks.build import build  # imports torch: slow
    from cnn_mnist.recipe import Recipe

    return sum(weights.numel() for weights in build(Recipe.from_dict(recipe), 10).parameters())


def outputs(template: str, ran: dict[str, Any]) -> list[str]:
    """Return what the blocks of the tutorial printed, as Markdown, for those that show it."""
    shown = blocks(template)
    known = [meaning(block["language"], block["code"]) for block in ran["blocks"]]
    if [meaning(block.language, block.code) for block in shown] != known:
        raise SystemExit("error: the tutorial's code has changed: run tools/run_tutorial.py again")
    return [  # fenced by ~~~, so that it is not taken for code
        f"~~~text\n{result['output'].rstrip()}\n~~~"
        for block, result in zip(shown, ran["blocks"], strict=True)
        if block.shown
    ]


def meaning(language: str, code: str) -> str:
    """Return code without its layout and its comments, which are translated."""
    if language == "python":
        return ast.unparse(ast.parse(code))
    return "\n".join(line.partition("  #")[0] for line in code.splitlines())


def notebook(page: str) -> str:
    """Return a page as a notebook: its code in cells, without outputs."""
    cells = []
    for kind, text in pieces(page):
        if kind == "text":
            cells.append(new_markdown_cell("".join(text.split("~~~")[::2]).strip()))
        else:
            shell = "" if kind == "python" else "!"
            code = "\n".join(shell + line for line in text.rstrip().splitlines())
            cells.append(new_code_cell(code))
    for place, cell in enumerate(cells):
        cell.id = f"cell-{place}"  # nbformat's own are random
    book = new_notebook(cells=[cell for cell in cells if cell.source])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.validate(book)
    return nbformat.writes(book) + "\n"


if __name__ == "__main__":
    main()
