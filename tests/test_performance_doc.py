"""docs/performance.md says what the results say."""

import re
from pathlib import Path

from results import result

TEXT = (Path(__file__).parents[1] / "docs" / "performance.md").read_text(encoding="utf-8")


def percent(mean: float, deviation: float) -> str:
    return f"{100 * mean:.2f} % ± {100 * deviation:.2f} %"


def test_the_step_is_told_as_measured() -> None:
    step = result("step")
    for name in ("cnn_mnist", "plain step", "plain loop"):
        assert f"| {1000 * step['times'][name]['median_s']:.0f} ms |" in TEXT
    assert f"at {step['share_of_roof']:.0%} of what PyTorch's product" in TEXT
    assert f"has {step['ratio_to_plain_loop']:.2f} times the images" in TEXT
    for difference in step["largest_loss_difference"].values():
        assert f"{difference:.1e}" in TEXT


def test_the_time_to_the_lessons_accuracy_is_told_as_measured() -> None:
    quick = result("quick")
    assert f"{percent(quick['mean'], quick['sd'])} (n = {quick['n']})" in TEXT
    assert f"in {quick['median_s']:.1f} s" in TEXT
    for key in ("times_as_fast", "times_as_fast_as_its_own_program"):
        assert f"{quick[key]:,.0f} times as long" in TEXT
    recipe = quick["recipe"]
    assert f"in {recipe['steps']} steps of {recipe['batch_size']} images" in TEXT


def test_the_race_to_99_percent_is_told_as_measured() -> None:
    race = result("fast_race")
    for name in ("fast", "published", "published, channels last"):
        runs = race[name]
        row = f"| {percent(runs['mean'], runs['sd'])} | {runs['median_s']:.2f} s |"
        assert row in TEXT
        assert f"{race['times_as_fast'][name]:.1f} times as fast" in TEXT or name == "fast"


def test_the_cold_start_is_told_as_measured() -> None:
    cold = result("coldstart")
    for name in ("cnn-mnist predict", "PyTorch script"):
        assert f"takes {cold[name]['median_s']:.2f} s" in TEXT
    assert f"{cold['times_as_fast']:.1f} times as long" in TEXT


def test_inference_is_told_as_measured() -> None:
    one, hundred, thousand = (result("inference")["batches"][size] for size in ("1", "100", "1000"))
    for name in one:
        cells = (
            f"{1000 * one[name]['median_s']:.2f} ms",
            f"{hundred[name]['images_per_s']:,.0f}",
            f"{thousand[name]['images_per_s']:,.0f}",
        )
        assert f"| {' | '.join(cells)} |" in TEXT


def test_8_bit_arithmetic_is_told_as_measured() -> None:
    int8 = result("int8")
    lost = int8["points_lost"]
    assert f"costs {lost['mean']:.3f} ± {lost['sd']:.3f} points of accuracy" in TEXT
    assert f"of {lost['n']} networks" in TEXT
    assert f"test images {int8['times_as_fast']:.1f} times as fast" in TEXT
    many = result("inference")["batches"]["1000"]
    times = 1 / many["cnn_mnist.infer, int8"]["ratio"]
    assert f"in 8 bits: {times:.1f} times the images a second" in TEXT


def test_growth_is_told_as_measured() -> None:
    growth = result("growth")
    for kind in ("images", "pictures", "steps"):
        for count, run in growth[kind].items():
            cells = f"{run['seconds']:,.1f} s \\| {run['peak_mb']:,.0f} MiB"
            row = rf"\| {int(count):,} [^|]+\| {cells} \|"
            assert re.search(row, TEXT), row


def test_many_seeds_are_told_as_measured() -> None:
    trials = result("trials")
    for way, words in (("2 at a time", "side by side"), ("1 at a time", "one after the other")):
        assert f"{trials[way]['median_s']:.0f} s {words}" in TEXT
