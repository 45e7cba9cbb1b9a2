"""docs/serving.md says what the results say."""

from pathlib import Path

from results import result

TEXT = (Path(__file__).parents[1] / "docs" / "serving.md").read_text(encoding="utf-8")


def test_the_race_is_told_as_measured() -> None:
    race = result("serve")
    for name in ("cnn-mnist", race["best_litserve"], "fastapi-pytorch"):
        closed, opened = race["closed"][name], race["open"][name]
        assert closed["failures"] == opened["failures"] == 0
        row = (
            f"| {closed['per_s']:,.0f} | {closed['p99_ms']:.0f} ms | {opened['p99_ms']:.0f} ms "
            f"| {closed['cpu_us'] / 1000:.1f} ms |"
        )
        assert row in TEXT
    assert f"99th of 100 at {race['open_rate']:,} a second" in TEXT
    assert f"{race['ratios'][race['best_litserve']]:.1f} times the requests of LitServe" in TEXT
    assert f"{race['ratios']['fastapi-pytorch']:.1f} times those of the handler" in TEXT
    many = race["concurrency_10"]
    assert f"{many['answers']:,} requests over 10 connections" in TEXT
    assert not many["failures"]
    assert f"{race['bare_images_per_s']:,.0f} images a second" in TEXT
    assert f"{race['cost_us'] / 1000:.2f} ms of a core" in TEXT


def test_the_long_load_is_told_as_measured() -> None:
    soak = result("soak")
    assert f"{soak['seconds'] / 60:.0f} minutes at {soak['rate_per_s']:,} requests" in TEXT
    assert f"{soak['answers']:,} requests, {sum(soak['failures'].values())} failed" in TEXT
    assert f"99 of 100 within {soak['p99_ms']:.0f} ms" in TEXT
    assert f"memory grew by {soak['memory_growth_bytes'] / 1e6:.1f} MB" in TEXT
    end = soak["end_under_load"]
    assert f"{end['accepted']:,} accepted and {end['answered']:,} answered" in TEXT
    assert (end["lost"], end["exit_code"]) == (0, 0)


def test_the_fuzzing_is_told_as_measured() -> None:
    fuzz = result("serve_fuzz")
    answers = sum(sum(fuzz[kind].values()) for kind in ("document", "raw"))
    assert f"{answers:,} of them" in TEXT
    assert (fuzz["wrong"], fuzz["tracebacks"], fuzz["exit_code"], fuzz["alive"]) == (0, 0, 0, True)
