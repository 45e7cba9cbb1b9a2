"""docs/images.md tells the truth: its figures are those of benchmarks/results/."""

from pathlib import Path

from results import result

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "images.md").read_text("utf-8")
FIGURES = result("pictures")


def share(value: float) -> str:
    return f"{100 * value:.1f} %"


def test_the_three_ways_are_told_as_measured() -> None:
    for way in ("single", "single_naive", "single_box", "multi"):
        assert share(FIGURES[way]["accuracy"]) in PAGE


def test_every_condition_is_told_as_measured() -> None:
    for condition, counts in FIGURES["single"]["by_condition"].items():
        others = [
            FIGURES[way]["by_condition"][condition]["right"]
            for way in ("single_naive", "single_box")
        ]
        row = f"| {condition} | {counts['right']} of {counts['n']} | {others[0]} | {others[1]} |"
        assert row in PAGE
    for condition, counts in FIGURES["multi"]["by_condition"].items():
        assert f"| {condition} | {counts['right']} of {counts['n']} |" in PAGE


def test_refusals_and_mnist_are_told_as_measured() -> None:
    assert share(FIGURES["nondigits"]["caught"]) in PAGE
    for kind, caught in FIGURES["nondigits"]["of_100_by_kind"].items():
        assert f"| {kind} | {caught} |" in PAGE
    assert f"{FIGURES['mnist']['points_lost']:.2f} points lost" in PAGE
