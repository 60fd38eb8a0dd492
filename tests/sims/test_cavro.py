"""The pump keeps its laws whatever it is told."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sims.desk import Desk

COMMANDS = st.tuples(
    st.sampled_from(["A", "a", "P", "D", "I", "O", "V", "S", "M", "N", "T", "Q", "?"]),
    st.integers(0, 4000),
).map(lambda one: f"{one[0]}{one[1] if one[0] not in 'TQ?' else ''}")


def pump(directory: Path, **more: object) -> Desk:
    valve = {1: "needle", 2: "water", 3: "waste"}
    entry = {"panel": "cavro", "syringe": 1000.0, "valve": valve, **more}
    liquids = {"water": {"place": "water", "volume": 1e6}}
    return Desk(directory, {"instruments": {"pump": entry}, "liquids": liquids})


@settings(max_examples=40, deadline=None)
@given(st.lists(COMMANDS, max_size=12))
def test_the_plunger_stays_in_its_barrel_and_nothing_is_lost(
    strings: list[str],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        desk = pump(Path(directory))
        desk.ask("pump", b"/1ZR\r", wait=30.0)
        for string in strings:
            tail = "" if string in "TQ?" else "R"
            assert desk.ask("pump", f"/1{string}{tail}\r".encode()).startswith(b"/0")
            desk.wait(1.5)
        desk.wait(3000.0)
        inside = desk.bench.instruments["pump"].pump  # type: ignore[attr-defined]
        assert 0.0 <= inside.place <= 1.05
        vessels = desk.bench.world.vessels
        out = vessels["waste"].parts.get("water", 0.0) if "waste" in vessels else 0.0
        spilled = sum(
            sum(one["parts"].values())
            for one in desk.journal("pump")
            if one["event"] == "spilled"
            or (one["event"] == "dispensed" and str(one["outlet"]).startswith("port"))
        )
        kept = inside.contents.get("water", 0.0) + vessels["water"].parts["water"]
        assert kept + out + spilled == pytest.approx(1e6, abs=0.5 + spilled)
        desk.close()


@pytest.mark.parametrize(
    ("code", "seconds"), [(0, 1.25), (5, 1.97), (11, 4.30), (13, 6.00), (20, 35.3)]
)
def test_a_stroke_takes_as_long_as_the_manual_says(
    code: int, seconds: float, tmp_path: Path
) -> None:
    desk = pump(tmp_path)
    desk.ask("pump", b"/1ZR\r", wait=30.0)
    desk.ask("pump", f"/1I2S{code}A3000R\r".encode(), wait=0.0)
    began = 0.15 + 0.05 + 0.005
    desk.wait(began + 0.96 * seconds)
    assert desk.ask("pump", b"/1Q\r").startswith(b"/0@")
    desk.wait(0.08 * seconds)
    assert desk.ask("pump", b"/1Q\r").startswith(b"/0`")
    desk.close()


def test_a_speed_may_be_changed_on_the_way(tmp_path: Path) -> None:
    desk = pump(tmp_path)
    desk.ask("pump", b"/1ZR\r", wait=30.0)
    desk.ask("pump", b"/1I2V100A3000R\r", wait=5.0)
    assert desk.ask("pump", b"/1V6000R\r") == b"/0@\x03\r\n"
    desk.wait(2.0)
    assert desk.ask("pump", b"/1?\r") == b"/0`3000\x03\r\n"
    desk.close()


def test_a_loop_is_run_as_often_as_it_says(tmp_path: Path) -> None:
    desk = pump(tmp_path)
    desk.ask("pump", b"/1ZR\r", wait=30.0)
    desk.ask("pump", b"/1I2gP300I3D300I2G3R\r", wait=60.0)
    events = desk.events("pump")
    assert events.count("aspirated") == events.count("dispensed") == 3
    desk.close()


def test_frames_are_answered_with_frames(tmp_path: Path) -> None:
    desk = pump(tmp_path)
    assert desk.ask("pump", bytes.fromhex("0231315a520309")) == bytes.fromhex(
        "0230400371"
    )
    desk.wait(30.0)
    assert desk.ask("pump", bytes.fromhex("023131510350")) == bytes.fromhex(
        "0230600351"
    )
    assert desk.ask("pump", b"/1Q\r") == b""
    assert desk.ask("pump", bytes.fromhex("023131510351")) == b""
    desk.close()


def test_a_group_is_obeyed_and_not_answered(tmp_path: Path) -> None:
    desk = pump(tmp_path)
    desk.ask("pump", b"/1ZR\r", wait=30.0)
    desk.ask("pump", b"/1I2A3000R\r", wait=2.0)
    assert desk.ask("pump", b"/_T\r") == b""
    assert desk.events("pump")[-1] == "terminated"
    desk.close()
