"""docs/performance.md says what the results say."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")


def result(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (ROOT / "benchmarks" / "results" / f"{name}.json").read_text("utf-8")
    )
    return content


def percent(mean: float, deviation: float) -> str:
    return f"{100 * mean:.2f} % ± {100 * deviation:.2f} %"


def test_the_step_is_told_as_measured() -> None:
    step = result("step")
    for name in ("cnn_mnist", "plain step", "plain loop"):
        assert f"| {1000 * step['times'][name]['median_s']:.0f} ms |" in TEXT
    assert f"at {step['share_of_roof']:.0%} of what the processor gives" in TEXT
    assert f"has {step['ratio_to_plain_loop']:.2f} times the images" in TEXT
    for difference in step["largest_loss_difference"].values():
        assert f"{difference:.1e}" in TEXT


def test_the_time_to_the_lessons_accuracy_is_told_as_measured() -> None:
    quick = result("quick")
    assert f"{percent(quick['mean'], quick['sd'])} (n = {quick['n']})" in TEXT
    assert f"in {quick['median_s']:.1f} s" in TEXT
    for key in ("times_as_fast", "times_as_fast_as_its_own_program"):
        assert f"{quick[key]:.0f} times as long" in TEXT


def test_the_race_to_99_percent_is_told_as_measured() -> None:
    race = result("fast_race")
    for name in ("fast", "published", "published, channels last"):
        runs = race[name]
        row = f"| {percent(runs['mean'], runs['sd'])} | {runs['median_s']:.1f} s |"
        assert row in TEXT
        assert f"{race['times_as_fast'][name]:.1f} times as fast" in TEXT or name == "fast"


def test_the_cold_start_is_told_as_measured() -> None:
    cold = result("coldstart")
    for name in ("cnn-mnist predict", "PyTorch script"):
        assert f"takes {cold[name]['median_s']:.2f} s" in TEXT
    assert f"{cold['times_as_fast']:.1f} times as long" in TEXT
