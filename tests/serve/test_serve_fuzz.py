"""Run a small part of fuzz/server.py with every run of the tests."""

import json
import subprocess
import sys
from pathlib import Path

FUZZ = Path(__file__).parents[2] / "fuzz" / "server.py"


def test_random_and_damaged_requests_cause_no_crash_and_no_5xx_but_503() -> None:
    run = subprocess.run(
        [sys.executable, str(FUZZ), "--n", "60"], capture_output=True, text=True, check=True
    )
    *complaints, last = run.stdout.splitlines()
    result = json.loads(last)
    assert complaints == []
    assert result["wrong"] == result["tracebacks"] == result["exit_code"] == 0
    assert result["alive"]
    assert sum(result["bodies"].values()) == 60
    assert result["bodies"]["400"] > 10
    assert result["peak_bytes"] - result["idle_bytes"] < 600_000_000
    assert result["health"]["answers"] > 20
    assert result["document"]["200"] > 20
    assert result["document"]["405"] > 100  # eight methods for each path
