"""A handful of faults: each campaign goes on, and loses one sample at most."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.launched import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_the_pump_meets_a_handful_of_faults(tmp_path: Path) -> None:
    table = tmp_path / "faults.csv"
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "orchestrator.cli", "bench", "faults"),
            *("--instruments", "pump", "--kinds", "drop,duplicate,refuse,busy"),
            *("--keep", str(tmp_path / "kept"), "--to", str(table)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=850,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert {row["kind"] for row in rows} == {"drop", "duplicate", "refuse", "busy"}
    assert {row["safe"] for row in rows} == {"yes"}
    assert all(int(row["samples lost"]) <= 1 for row in rows)
