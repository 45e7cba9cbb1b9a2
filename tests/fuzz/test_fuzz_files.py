"""The fuzzer of files in a short form; `scripts/setup fuzz` installs what it needs."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from results import result

ROOT = Path(__file__).parents[2]
FORMS = ("idx", "state", "safetensors", "recipe")


@pytest.fixture(scope="module")
def fuzzer() -> Any:
    pytest.importorskip("atheris")
    spec = importlib.util.spec_from_file_location("fuzz_files", ROOT / "fuzz" / "files.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_damaged_files_are_read_or_refused(fuzzer: Any) -> None:
    result = fuzzer.run(2000)
    assert result["n"] == 2000
    assert result["refused"] > 0
    assert result["crashed"] == result["hung"] == 0


@pytest.mark.parametrize("form", FORMS)
def test_the_good_files_are_read(form: str, fuzzer: Any, tmp_path: Path) -> None:
    for content in fuzzer.seeds()[form]:
        fuzzer.FORMS[form](content, tmp_path)
    with pytest.raises(fuzzer.Refused):
        fuzzer.FORMS[form](b"no such file", tmp_path)


def test_the_long_form_found_no_crash_no_hang_and_no_endless_memory() -> None:
    metrics = result("fuzz-files")
    assert metrics["n"] == 1_000_000
    assert metrics["crashed"] == metrics["hung"] == 0
