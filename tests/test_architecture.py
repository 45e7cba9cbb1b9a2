"""What the package promises to the outside: light imports, public names, no code in files.

Who may import whom is held by import-linter, see pyproject.toml and scripts/check.
"""

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import cnn_mnist

SOURCE = Path(cnn_mnist.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("cnn_mnist", {"numpy", "torch", "onnxruntime", "click", "rich", "PIL"}),
        *[
            (f"cnn_mnist.cli.{path.stem}", {"numpy", "torch", "onnxruntime", "rich", "PIL"})
            for path in sorted((SOURCE / "cli").glob("*.py"))
        ],
        ("cnn_mnist.classifier", {"tensorflow"}),
        ("cnn_mnist.inference.model", {"torch", "onnx", "sklearn", "requests", "rich"}),
        ("cnn_mnist.reading.reader", {"torch", "onnx", "sklearn", "requests", "rich"}),
        ("cnn_mnist.serve.server", {"torch", "sklearn", "requests", "rich"}),
    ],
)
def test_light_modules_import_nothing_heavy(module: str, forbidden: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert forbidden.isdisjoint(loaded)


def test_tensorflow_is_imported_in_one_place() -> None:
    library = re.compile(r"^\s*(?:import|from) (?:tensorflow|keras)\b", re.MULTILINE)
    importing = [path for path in FILES if library.search(path.read_text(encoding="utf-8"))]
    assert importing == [SOURCE / "export" / "tensorflow" / "library.py"]


def test_the_public_names_are_these() -> None:
    assert cnn_mnist.__all__ == [
        "RECIPES",
        "Classifier",
        "CnnMnistError",
        "Dataset",
        "Hook",
        "Model",
        "Reading",
        "Recipe",
        "Split",
        "load",
        "read",
        "run_trials",
    ]
    for name in cnn_mnist.__all__:
        assert getattr(cnn_mnist, name) is getattr(import_module(cnn_mnist._HOMES[name]), name)


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = cnn_mnist.nothing


def test_no_source_file_unpickles() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        for unsafe in (
            *("import pickle", "import marshal", "import shelve", "import joblib"),
            *("torch.load(", "torch.save(", "allow_pickle=True", "_object_list(", "gather_object("),
        ):
            assert unsafe not in text, path


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_has_300_lines_at_most_and_a_function_50(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 50, node.name
