"""Six kills, and nothing repeated, lost or unexplained; the bench itself does 200."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.benches.victims import Victim
from tests.end_to_end.launched import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


SEED = "74"
"""Of which eight kills in a row are of every victim, so that six are of most."""


def test_six_kills_repeat_lose_and_leave_unexplained_nothing(tmp_path: Path) -> None:
    log = tmp_path / "crash.out"
    with log.open("w") as file:
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "orchestrator.cli", "bench", "crash"),
                *("--kills", "6", "--seed", SEED, "--keep", str(tmp_path / "kept")),
            ],
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
            timeout=1700,
            check=False,
            env={**os.environ, "COLUMNS": "160"},
        )
    said = log.read_text()
    assert ended.returncode == 0, said
    counts = dict(re.findall(r"^([a-z ]+?) {2,}(\d+)", said, re.MULTILINE))
    assert int(counts["acts done"]) > 40
    # In most campaigns something is killed between a suggestion and its trial.
    assert int(counts["candidates suggested"]) > 0
    for wrong in ("repeated acts", "lost observations", "unexplained differences"):
        assert counts[wrong] == "0"
    killed = re.findall(r"^ +\d+ c\d+ (.+?): .*after its start", said, re.MULTILINE)
    assert len(killed) == 6
    # An act that is aimed at may not come any more, and then others are drawn.
    assert len(set(killed) & set(Victim)) >= 3
