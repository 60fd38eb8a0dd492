"""The simulated instruments say what the manuals say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sims.desk import Desk, joined, recite
from tests.transcripts import sections

SPECS: dict[str, dict[str, Any]] = {
    "grbl": {"panel": "grbl", "start": [-250, -200, -20]},
    "cavro": {"panel": "cavro", "syringe": 1000.0, "ports": 3},
    "cavro_oem": {"panel": "cavro", "syringe": 1000.0, "ports": 9},
    "cavro_xlp": {"panel": "cavro", "syringe": 1000.0, "ports": 9, "model": "XLP6000"},
    "new_era": {
        "panel": "new_era",
        "syringe": 10000.0,
        "contents": {"water": 9000.0},
        "target": "beaker",
    },
    "relay": {"panel": "relay", "vacuum": {1: "chuck"}},
    "odrive": {"panel": "odrive", "slot": "chuck"},
    "eurotherm": {"panel": "eurotherm", "room": 24.5, "offset": 0.0},
}
CASES = [(name, title) for name in SPECS for title in sections(name)]


@pytest.mark.parametrize(("name", "title"), CASES, ids=lambda part: part)
def test_a_panel_answers_as_the_transcript_says(
    name: str, title: str, tmp_path: Path
) -> None:
    slots = {"chuck": {"at": [-100, -60, -80]}}
    desk = Desk(tmp_path, {"instruments": {"it": SPECS[name]}, "slots": slots})
    lines = sections(name)[title]
    assert recite(desk, "it", lines) == joined(lines)
    desk.close()
