"""docs/accuracy.md says what the results say."""

import re
from pathlib import Path
from statistics import mean

import pytest
from results import result

from cnn_mnist.model import build
from cnn_mnist.recipe import Recipe, named

TEXT = (Path(__file__).parents[1] / "docs" / "accuracy.md").read_text(encoding="utf-8")


def percent(share: float) -> str:
    return f"{100 * share:.2f} %"


@pytest.mark.parametrize("name", ["accurate", "best"])
def test_where_a_recipe_ends_is_told_as_measured(name: str) -> None:
    found = result(name)
    recipe = Recipe.from_dict(found["recipe"])
    assert recipe == named(name)
    cells = (
        f"`{name}`",
        recipe.network,
        f"{sum(weights.numel() for weights in build(recipe, 10).parameters()):,}",
        f"{recipe.steps:,}",
        f"{percent(found['mean'])} ± {percent(found['sd'])} (n = {found['n']})",
        percent(found["ensemble"]),
        percent(mean(found["calibration_errors"])),
    )
    assert f"| {' | '.join(cells)} |" in TEXT


def test_what_augmentation_takes_is_told_as_measured() -> None:
    cost = result("augmentation")
    accurate, best = cost["accurate"], cost["best"]
    for name in ("accurate", "best"):
        assert Recipe.from_dict(cost[name]["recipe"]) == named(name)
    assert (
        f"{accurate['share']:.0%} of a step of `accurate` and {best['share']:.0%} of one of `best`"
    ).replace("%", " %") in TEXT
    assert f"`accurate` would take {accurate['minutes']:.0f} minutes" in TEXT
    assert f"those of `best` {best['minutes']:.0f}:" in TEXT


def test_the_ladder_is_told_as_measured() -> None:
    ladder = result("ladder")
    assert ladder["split"] == "validation"
    ends = [Recipe.from_dict(ladder["rungs"][place]["recipe"]) for place in (4, -1)]
    assert not ends[0].differences(named("accurate"))
    assert not ends[1].differences(named("best"))
    assert f"{ladder['steps']:,} steps" in TEXT
    for rung in ladder["rungs"]:
        gain = f"{100 * rung['gain']:+.2f} ± {100 * rung['gain_sd']:.2f}" if "gain" in rung else ""
        cells = (
            rung["rung"],
            f"{percent(rung['mean'])} ± {percent(rung['sd'])} (n = {rung['n']})",
            gain,
            f"{rung['mean_loss']:.4f} ± {rung['sd_loss']:.4f}",
        )
        assert f"| {' | '.join(cells)} |" in TEXT


def test_the_mistakes_that_are_left_are_those_of_the_model_in_the_box() -> None:
    mistakes = sorted(mistake["index"] for mistake in result("pretrained")["mistakes"])
    assert f"misreads {len(mistakes)} of the 10,000 test images" in TEXT
    assert f": {', '.join(map(str, mistakes))}. " in TEXT
    doubted = re.search(r"mnist_mturk\.json\)\): ([\d, ]+)\.", TEXT)
    assert doubted
    known = sorted(set(map(int, doubted[1].split(", "))) & set(mistakes))
    assert f"{len(known)} are among them: {', '.join(map(str, known))}." in TEXT
