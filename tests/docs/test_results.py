"""What benchmarks/results/ holds is of the recipes as they are now, and what the pages rely on."""

import json
from typing import Any

import pytest
from results import result

from cnn_mnist.recipe import Recipe, named


@pytest.mark.parametrize("name", ["tutorial", "standard", "fast", "accurate", "best"])
def test_accuracies_were_measured_with_the_recipe_as_it_is_now(name: str) -> None:
    assert Recipe.from_dict(result(name)["recipe"]) == named(name)


def test_softmax_regression_was_measured_with_the_recipe_standard() -> None:
    found = Recipe.from_dict(result("softmax")["recipe"])
    assert found == named("standard", network="softmax")


@pytest.mark.parametrize("name", ["accurate", "best"])
def test_the_cost_of_augmentation_was_measured_with_the_recipe_as_it_is_now(name: str) -> None:
    assert Recipe.from_dict(result("augmentation")[name]["recipe"]) == named(name)


@pytest.mark.parametrize(("step", "name"), [(4, "accurate"), (-1, "best")])
def test_the_ladder_leads_to_the_recipes_as_they_are_now(step: int, name: str) -> None:
    ladder = result("ladder")
    assert ladder["split"] == "validation"
    assert not Recipe.from_dict(ladder["ladder"][step]["recipe"]).differences(named(name))


def test_the_bundled_model_was_trained_further_by_the_recipe_best() -> None:
    metadata = result("pretrained")["metadata"]
    recipe = Recipe.from_dict(json.loads(metadata["recipe"]))
    (difference,) = recipe.differences(named("best"))
    assert difference.startswith("learning_rate:")


def test_no_request_failed_in_the_load_tests() -> None:
    race, soak = result("serve"), result("soak")
    for servers in (race["closed"], race["open"]):
        assert not any(server["failures"] for server in servers.values())
    assert not race["concurrency_10"]["failures"]
    assert not soak["failures"]
    assert (soak["end_under_load"]["lost"], soak["end_under_load"]["exit_code"]) == (0, 0)


def test_the_fuzzed_server_gave_no_wrong_answer_and_stayed_healthy() -> None:
    fuzz = result("serve_fuzz")
    assert (fuzz["wrong"], fuzz["tracebacks"], fuzz["exit_code"], fuzz["alive"]) == (0, 0, 0, True)


def test_the_fault_campaign_found_no_failure() -> None:
    failures = {
        "not_loadable", "other_weights", "other_ends", "hung", "not_noticed", "unnoticed_lies",
        "wrong_checkpoint_used", "cannot_go_on",
    }  # fmt: skip

    def found(part: Any) -> list[Any]:
        if not isinstance(part, dict):
            return []
        here = [value for name, value in part.items() if name in failures]
        return here + [value for inner in part.values() for value in found(inner)]

    counts = found(result("faults"))
    assert counts
    assert not any(counts)
