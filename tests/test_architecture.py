"""The house: who may import whom, and what the package promises to the outside."""

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import cnn_mnist

SOURCE = Path(cnn_mnist.__file__).parent

# A room imports only from floors below its own; `data` is one room.
FLOORS = {
    "errors": 0,
    "files": 0,
    "machine": 0,
    "memory": 0,
    "sums": 1,
    "calibration": 1,
    "drawing": 1,
    "recipe": 1,
    "linear": 1,
    "data": 2,
    "image": 2,
    "model": 3,
    "lock": 3,
    "parallel": 3,
    "run": 3,
    "evaluate": 3,
    "mistakes": 3,
    "infer": 3,
    "reading": 4,
    "explain": 5,
    "checkpoint": 3,
    "graph": 1,
    "hooks": 4,
    "parity": 4,
    "quantize": 4,
    "triton": 4,
    "train": 5,
    "export": 5,
    "tensorflow": 5,
    "classifier": 6,
    "serve": 6,
    "trials": 7,
    "report": 7,
    "workers": 7,
    "cli": 8,
    "__main__": 9,
}


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            modules.update(names if node.module == "cnn_mnist" else [node.module])
        elif isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
    return {name.split(".")[1] for name in modules if name.startswith("cnn_mnist.")}


FILES = [path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_room_imports_only_from_floors_below_its_own(path: Path) -> None:
    room = room_of(path)
    above = {
        other
        for other in imported_rooms(path) - {room, "__version__"}
        if FLOORS[other] >= FLOORS[room]
    }
    assert not above


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("cnn_mnist", {"numpy", "torch", "onnxruntime", "click", "rich", "PIL"}),
        ("cnn_mnist.cli", {"numpy", "torch", "onnxruntime", "rich", "PIL"}),
        ("cnn_mnist.classifier", {"tensorflow"}),
        ("cnn_mnist.infer", {"torch", "onnx", "sklearn", "requests", "rich"}),
        ("cnn_mnist.reading", {"torch", "onnx", "sklearn", "requests", "rich"}),
        ("cnn_mnist.serve.server", {"torch", "sklearn", "requests", "rich"}),
    ],
)
def test_what_is_light_imports_nothing_heavy(module: str, forbidden: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert forbidden.isdisjoint(loaded)


def test_tensorflow_is_imported_in_one_place() -> None:
    library = re.compile(r"^\s*(?:import|from) (?:tensorflow|keras)\b", re.MULTILINE)
    importing = [path for path in FILES if library.search(path.read_text(encoding="utf-8"))]
    assert importing == [SOURCE / "tensorflow" / "library.py"]


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
        for what_runs_code in (
            *("import pickle", "import marshal", "import shelve", "import joblib"),
            *("torch.load(", "torch.save(", "allow_pickle=True", "_object_list(", "gather_object("),
        ):
            assert what_runs_code not in text, path
