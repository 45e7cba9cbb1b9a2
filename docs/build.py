"""Writes the tutorial from its templates: python docs/build.py.

`docs/templates/` holds the texts; figures come from `benchmarks/results/`, what the code prints
from `benchmarks/results/lesson.json`. Written are the pages and, of each, a notebook with cells to
run. Run it again whenever a template or a result has changed; a test holds the pages to it.
"""

import ast
import json
from pathlib import Path
from statistics import mean
from typing import Any

import nbformat
from blocks import blocks, pieces
from jinja2 import Environment, StrictUndefined
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

HERE = Path(__file__).parent
RESULTS = HERE.parent / "benchmarks" / "results"
PAGES = ("tutorial", "tutorial.zh-CN")


def main() -> None:
    """Write all files."""
    for name, content in built().items():
        (HERE / name).write_text(content, "utf-8")


def built() -> dict[str, str]:
    """What is written, by file name."""
    files = {}
    for name in PAGES:
        page = rendered((HERE / "templates" / f"{name}.md").read_text("utf-8"))
        files[f"{name}.md"] = page
        files[f"{name}.ipynb"] = notebook(page)
    return files


def rendered(template: str) -> str:
    """A page: its template with figures and outputs in their places."""
    lesson = result("lesson")["blocks"]
    known = [meaning(block["language"], block["code"]) for block in lesson]
    if [meaning(block.language, block.code) for block in blocks(template)] != known:
        raise SystemExit("error: the tutorial's code has changed: run benchmarks/lesson.py again")
    parts = template.split("{{ output }}")
    page = parts[0]
    for part in parts[1:]:
        printed = lesson[len(blocks(page)) - 1]["output"].rstrip()
        # a block of its own kind, so that it is not taken for code
        page += f"~~~text\n{{% raw %}}{printed}{{% endraw %}}\n~~~{part}"
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701
    return environment.from_string(page).render(
        accuracy=accuracy,
        fewer=lambda before, after: round((1 - mean_of(before)) / (1 - mean_of(after))),
        loss=lambda name: f"{result(name)['mean_loss']:.4f}",
        n=lambda name: result(name)["n"],
        network=lambda name: result(name)["recipe"]["network"],
        pictures=pictures(),
        root=lambda name: round(mistakes(name) ** 0.5),
        seconds=lambda name: f"{mean(result(name)['train_seconds']):.0f}",
        steps=lambda name: f"{result(name)['recipe']['steps']:,}",
        table=table,
        wrong=lambda name: round(mistakes(name)),
    )


def result(name: str) -> dict[str, Any]:
    """A results file."""
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return content


def mean_of(name: str) -> float:
    """The mean accuracy of a results file."""
    return float(result(name)["mean"])


def mistakes(name: str) -> float:
    """The mean number of mistakes in 10,000 images."""
    return 10_000 * (1 - mean_of(name))


def accuracy(name: str) -> str:
    """Mean and standard deviation, as all pages write them."""
    return f"{100 * mean_of(name):.2f} % ± {100 * result(name)['sd']:.2f} %"


def table(name: str) -> str:
    """The runs of a results file as a table."""
    content = result(name)
    head = ["seed", *map(str, content["seeds"])]
    row = ["%", *(f"{100 * share:.2f}" for share in content["accuracies"])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), row))


def pictures() -> dict[str, str]:
    """How many pictures of one digit are read right, in each of three ways."""
    content = result("pictures")
    ways = {"naive": "single_naive", "box": "single_box", "read": "single"}
    shares = {name: f"{100 * content[way]['accuracy']:.1f} %" for name, way in ways.items()}
    return {"n": str(content["single"]["n"]), **shares}


def meaning(language: str, code: str) -> str:
    """Code without its form and its comments, which are translated."""
    if language == "python":
        return ast.unparse(ast.parse(code))
    return "\n".join(line.partition("  #")[0] for line in code.splitlines())


def notebook(page: str) -> str:
    """A page as a notebook: its code to run, its outputs left to come."""
    cells = []
    for kind, text in pieces(page):
        if kind == "text":
            cells.append(new_markdown_cell(without_outputs(text)))
        else:
            shell = "" if kind == "python" else "!"
            code = "\n".join(shell + line for line in text.rstrip().splitlines())
            cells.append(new_code_cell(code))
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"  # else drawn at random, anew each time
    book = new_notebook(cells=[cell for cell in cells if cell.source])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.validate(book)
    return nbformat.writes(book) + "\n"


def without_outputs(text: str) -> str:
    """Text without the blocks that show what code has printed."""
    return "".join(text.split("~~~")[::2]).strip()


if __name__ == "__main__":
    main()
