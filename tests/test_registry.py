"""The registries: parts by name, and a user's own by `module:function`."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
from tiny import one_thread as one_thread  # a fixture of every test here

from cnn_mnist.errors import RecipeError
from cnn_mnist.networks import NETWORKS
from cnn_mnist.registry import Registry
from cnn_mnist.training.augmentation import AUGMENTATIONS
from cnn_mnist.training.hooks import HOOKS
from cnn_mnist.training.optimizers import OPTIMIZERS
from cnn_mnist.training.schedules import SCHEDULES
from cnn_mnist.training.trials import run_trials

OWN = """
from torch import nn

number = 7

def line(classes, *, dropout):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, classes))
"""


def test_every_registry_knows_its_parts() -> None:
    networks, schedules, augmentations, hooks = (
        [name for name in registry.names() if not registry.is_own(name)]  # of other tests
        for registry in (NETWORKS, SCHEDULES, AUGMENTATIONS, HOOKS)
    )
    assert networks == ["cnn", "cnn-bn", "deep", "small", "softmax"]
    assert {"adam", "muon", "sgd", "RMSprop", "SGD"} <= set(OPTIMIZERS.names())
    assert schedules == ["constant", "cosine", "one-cycle", "step"]
    assert augmentations == ["affine", "elastic", "none"]
    assert hooks == ["progress", "tensorboard"]


def test_a_part_is_added_by_a_decorator() -> None:
    registry: Registry[object] = Registry("part", "cnn_mnist.registry")

    @registry.register("mine")
    def mine() -> None: ...

    assert registry.get("mine") is mine
    assert registry.names() == ["mine"]


@pytest.mark.parametrize("field", ["network", "optimizer", "schedule", "augmentation"])
def test_an_unknown_name_is_refused_before_anything_is_written(field: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=f"no {field} is called 'nosuch': expected .*, "):
        tiny.trained(tmp_path / "run", **{field: "nosuch"})
    assert not (tmp_path / "run").exists()


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A network of the user's own, in a module in the current directory."""
    (tmp_path / "own_nets.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "own_nets", raising=False)
    monkeypatch.setattr(NETWORKS, "_parts", dict(NETWORKS._parts))
    return "own_nets:line"


def test_a_users_own_part_is_imported_when_a_person_names_it(own: str, tmp_path: Path) -> None:
    assert NETWORKS.resolve(own) == own
    assert tiny.trained(tmp_path / "run", network=own).step == 30


def test_a_file_is_a_module_of_its_name(own: str, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "file_nets.py").write_text(OWN)
    assert NETWORKS.resolve(f"{folder / 'file_nets.py'}:line") == "file_nets:line"
    assert NETWORKS.get("file_nets:line") is sys.modules["file_nets"].line
    with pytest.raises(RecipeError, match=r"nothing\S* does not exist"):
        NETWORKS.resolve("nothing.py:line")
    (tmp_path / "json.py").write_text(OWN)
    with pytest.raises(RecipeError, match="another module is called json, rename the file"):
        NETWORKS.resolve(f"{tmp_path / 'json.py'}:line")


def test_a_function_is_added_under_its_module_and_name(own: str) -> None:
    def mine() -> None: ...

    registry: Registry[object] = Registry("part", "cnn_mnist.registry")
    name = registry.add(mine)
    assert name == f"{__name__}:{mine.__qualname__}"
    assert registry.is_own(name)
    assert not registry.is_own("adam")
    assert registry.get(name) is mine
    assert registry.add(mine) == name
    registry.register("plain")(len)
    assert registry.add(len) == "plain"


def test_a_function_of_a_script_is_called_after_its_file(own: str, tmp_path: Path) -> None:
    (tmp_path / "my-script.py").write_text(
        f"{OWN}\nfrom cnn_mnist.networks import NETWORKS\nprint(NETWORKS.add(line))\n"
        "print(NETWORKS.resolve('my-script:line'), NETWORKS.resolve('./my-script.py:line'))\n"
    )
    done = subprocess.run(
        [sys.executable, "my-script.py"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.split() == ["my-script:line"] * 3


def test_a_name_that_comes_from_a_file_is_never_imported(own: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"the network is own_nets:line, which is your own: name"):
        tiny.trained(tmp_path / "run", network=own)
    assert "own_nets" not in sys.modules


@pytest.mark.parametrize("name", ["own_nets:nothing", "no_such_module:f", ":", "own_nets:"])
def test_a_part_that_cannot_be_imported_is_one_line(name: str, own: str) -> None:
    with pytest.raises(RecipeError, match=f"network '{re.escape(name)}' cannot be imported: "):
        NETWORKS.resolve(name)


@pytest.mark.parametrize("code", ["def broken(:", "raise RuntimeError('no GPU here')"])
def test_a_users_module_that_cannot_be_imported_is_one_line(code: str, own: str) -> None:
    Path("broken_nets.py").write_text(code)
    with pytest.raises(RecipeError, match="network 'broken_nets:f' cannot be imported: "):
        NETWORKS.resolve("broken_nets:f")


def test_a_part_that_is_not_a_function_is_refused(own: str) -> None:
    with pytest.raises(RecipeError, match="network 'own_nets:number' is not a function"):
        NETWORKS.resolve("own_nets:number")


def test_two_parts_of_one_name_are_refused() -> None:
    registry: Registry[object] = Registry("part", "cnn_mnist.registry")
    registry.register("mine")(len)
    with pytest.raises(RecipeError, match="two parts are called 'mine'"):
        registry.register("mine")(max)


def test_trials_in_processes_take_a_network_of_the_users_own(own: str, tmp_path: Path) -> None:
    NETWORKS.resolve(own)
    result = run_trials(
        tmp_path / "runs",
        tiny.tiny_recipe(network=own, steps=2),
        tiny.tiny_dataset(),
        n=2,
        device="cpu",
        processes=2,
    )
    assert result["n"] == 2


def test_the_command_line_takes_a_network_of_the_users_own(own: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cnn_mnist", "train", "--network", own, "--data", "digits"]
    done = subprocess.run(
        [*command, "--steps", "20", "--run-dir", "run"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "model.onnx").is_file()
    wrong = subprocess.run(
        [*command[:-3], "nosuch"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert wrong.returncode == 3
    assert "no network is called 'nosuch': expected cnn, cnn-bn, deep" in wrong.stderr
