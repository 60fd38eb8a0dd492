"""The simulated instruments answer as their transcripts say.

In a section whose title ends in ``readings`` the digits and signs of answers are free.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.sims.desk import Desk
from tests.transcripts import Line, sections

CELL = {"conductivity_S_cm": 1e-6}
SPECS: dict[str, dict[str, Any]] = {
    "keithley2400": {"panel": "keithley2400", "load": 100.0},
    "keithley2700": {"panel": "keithley2700"},
    "pm100": {"panel": "pm100"},
    "e4980a": {"panel": "e4980a", "cell": CELL},
    "gpib_adapter": {"panel": "gpib_adapter", "instruments": {16: "2700", 17: "lcr"}},
    "ika": {"panel": "ika"},
    "julabo": {"panel": "julabo"},
    "julabo_manual": {"panel": "julabo", "remote": False},
    "mettler": {"panel": "mettler", "load": 100.0003, "noise": 0.0, "drift": 0.0},
}
ON_THE_BUS = {
    "2700": {"panel": "keithley2700"},
    "lcr": {"panel": "e4980a", "cell": CELL},
}
CASES = [(name, title) for name in SPECS for title in sections(name)]
LONG_ENOUGH = 5.0
"""Bench seconds within which every reading comes."""


def stream(lines: list[Line], *, form: bool) -> bytes:
    heard = b"".join(data for direction, data in lines if direction == "<")
    return re.sub(rb"[+-](?=\d)", b"~", re.sub(rb"\d", b"0", heard)) if form else heard


@pytest.mark.parametrize(("name", "title"), CASES, ids=lambda part: part)
def test_a_panel_answers_as_its_transcript_says(
    name: str, title: str, tmp_path: Path
) -> None:
    bus = ON_THE_BUS if "instruments" in SPECS[name] else {}
    desk = Desk(tmp_path, {"instruments": {name: SPECS[name], **bus}})
    lines = sections(name)[title]
    heard: list[Line] = []
    desk.open(name)
    for place, (direction, data) in enumerate(lines):
        if direction == ".":
            desk.wait(float(data))
        elif direction == ">":
            desk.tell(name, data)
            hurried = lines[place + 1 : place + 2] == [(">", b"\x03")]
            desk.wait(0.01 if hurried else LONG_ENOUGH)
            heard.append(("<", desk.take(name)))
    form = title.endswith("readings")
    assert stream(heard, form=form) == stream(lines, form=form)
    desk.close()
