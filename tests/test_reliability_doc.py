"""docs/reliability.md and docs/scale.md tell the truth: what benchmarks/results/ holds."""

from pathlib import Path
from typing import Any

from results import result

ROOT = Path(__file__).parent.parent
FAULTS = result("faults")
FUZZ = result("fuzz-files")


def kills(part: dict[str, Any]) -> str:
    misses = ("not_loadable", "other_weights", "other_ends", "hung")
    return (
        f"| {part['workers']} process{'es' * (part['workers'] > 1)}, killed at random and aimed "
        f"| {part['killed_at_random']} + {part['killed_at_aim']} "
        f"| {sum(part[miss] for miss in misses)} "
        f"| at most {part['most_steps_redone']} steps of {part['checkpoint_every']} done again; "
        f"{part['runs_finished']} runs came to their end |"
    )


def rows() -> list[str]:
    """The table of docs/reliability.md; a part that is not in the file has no row."""
    table = [kills(FAULTS[name]) for name in FAULTS if name.startswith("kills")]
    if damage := FAULTS.get("damage"):
        table.append(
            f"| {len(damage['files'])} files of a run cut and flipped "
            f"| {damage['cut']} + {damage['flipped']} "
            f"| {damage['not_noticed'] + damage['wrong_checkpoint_used']} | |"
        )
    if cuts := FAULTS.get("power cuts"):
        table.append(
            f"| states after a power cut and a lost fsync | {cuts['states']} + {cuts['lies']} "
            f"| {cuts['not_loadable'] + cuts['unnoticed_lies']} | |"
        )
    for name, part in FAULTS.get("refusals", {}).items():
        if isinstance(part, dict) and "refused" in part:
            misses = part["other_ends"] + part["cannot_go_on"] + part["other_weights"]
            lives = part["refused"] + part["finished"]
            table.append(f"| {name} | {lives} | {misses} | {part['refused']} ended with an error |")
    if restarts := FAULTS.get("restarts"):
        table.append(
            f"| workers killed under `--max-restarts` | {restarts['workers_killed']} "
            f"| {int(not restarts['equal_weights'])} | {restarts['steps']} steps in one command |"
        )
    forms = "IDX, checkpoint and recipe files changed by the fuzzer"
    table.append(f"| {forms} | {FUZZ['n']:,} | {FUZZ['crashed'] + FUZZ['hung']} | |")
    return table


def test_the_figures_of_the_campaign_are_told_as_measured() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    told = [line for line in page.splitlines() if line.startswith("|")][2:]
    assert told == rows()


def test_the_difference_of_two_processes_is_told_as_measured() -> None:
    page = (ROOT / "docs" / "scale.md").read_text("utf-8")
    for name in [name for name in FAULTS if name.startswith("difference")]:
        part = FAULTS[name]
        told = (
            f"within {part['max_abs_diff']:.1e} after {part['steps']} steps of `{part['network']}`"
        )
        assert told in page


def test_the_speed_of_two_processes_is_told_as_measured() -> None:
    page = (ROOT / "docs" / "scale.md").read_text("utf-8")
    for form, rate in FAULTS.get("speed", {}).get("steps_per_second", {}).items():
        assert f"{rate:.1f} steps a second with {form}" in page


def test_the_lesson_by_two_processes_is_told_as_measured() -> None:
    page = (ROOT / "docs" / "scale.md").read_text("utf-8")
    alone = result("tutorial")
    assert (
        f"{FAULTS['lesson']['accuracy']:.2%} with two processes (one run), "
        f"{alone['mean']:.2%} ± {alone['sd']:.2%} (n = {alone['n']}) with one"
    ).replace("%", " %") in page


if __name__ == "__main__":
    print(*rows(), sep="\n")
