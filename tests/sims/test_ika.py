"""The simulated hotplate heats like a plate and talks like its instructions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.models.plate import HEATING, ROOM, Plate
from tests.sims.desk import Desk

SPEC = {
    "instruments": {
        "plate": {"panel": "ika", "slot": "anneal"},
        "other": {"panel": "ika"},
    },
    "slots": {"anneal": {"at": [0.0, 0.0, 0.0]}},
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path, SPEC)
    yield desk
    desk.close()


def ask(desk: Desk, text: str, wait: float = 1.0) -> str:
    return desk.ask("plate", text.encode() + b" \r\n", wait).decode()


def value(desk: Desk, text: str) -> float:
    return float(ask(desk, text).split()[0])


@given(st.floats(30.0, 300.0))
def test_a_plate_comes_to_rest_at_its_set_temperature(target: float) -> None:
    plate = Plate(target=target, heating=True)
    plate.advance((target - ROOM) / HEATING + 300.0)
    assert plate.shown == pytest.approx(target, abs=0.3)


def test_it_heats_15_kelvin_a_minute_and_goes_a_little_too_far() -> None:
    plate, highest = Plate(target=140.0, heating=True), 0.0
    for second in range(900):
        before = plate.shown
        plate.advance(second + 1.0)
        assert plate.shown - before <= HEATING + 1e-9
        highest = max(highest, plate.shown)
    assert 140.0 < highest < 141.0


def test_it_is_within_a_kelvin_soon_after_the_way_there() -> None:
    plate = Plate(target=140.0, heating=True)
    plate.advance((140.0 - ROOM) / HEATING + 120.0)
    assert plate.shown == pytest.approx(140.0, abs=1.0)


def test_it_cools_towards_the_room_and_no_further() -> None:
    plate = Plate(truth=140.0)
    plate.advance(300.0)
    assert 60.0 < plate.truth < 75.0
    plate.advance(7200.0)
    assert plate.truth == pytest.approx(ROOM, abs=0.1)


@given(st.lists(st.floats(0.1, 100.0), min_size=1, max_size=20))
def test_how_often_one_looks_matters_little(steps: list[float]) -> None:
    looked, left = Plate(target=80.0, heating=True), Plate(target=80.0, heating=True)
    for step in steps:
        looked.advance(looked.at + step)
    left.advance(looked.at)
    assert looked.truth == pytest.approx(left.truth, abs=0.5)


def test_the_display_and_the_truth_differ_by_an_offset_of_the_plate(desk: Desk) -> None:
    ask(desk, "OUT_SP_1 100")
    ask(desk, "START_1")
    desk.wait(900.0)
    assert value(desk, "IN_PV_2") == pytest.approx(100.0, abs=0.3)
    slot = desk.bench.world.slots["anneal"]
    models = [desk.bench.instruments[name].model for name in ("plate", "other")]  # type: ignore[attr-defined]
    assert slot.temperature == pytest.approx(100.0 - models[0].offset, abs=0.3)
    assert 0.0 != models[0].offset != models[1].offset


def test_commands_come_with_and_without_the_blank(desk: Desk) -> None:
    assert desk.ask("plate", b"IN_SP_4\r\n", 1.0) == b"0.0 4 \r\n"
    assert desk.ask("plate", b"IN_SP_4 \r\n", 1.0) == b"0.0 4 \r\n"
    assert desk.ask("plate", b"IN_S", 1.0) == b""
    assert desk.ask("plate", b"P_4\r", 1.0) == b"0.0 4 \r\n"


@given(st.binary(max_size=60))
def test_nonsense_is_met_with_silence(noise: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder), {"instruments": {"plate": {"panel": "ika"}}})
        assert desk.ask("plate", b"X" + noise.replace(b"_", b"-") + b"\r\n", 1.0) == b""
        desk.close()


def test_watchdog_1_stops_heater_and_motor_unless_sent_again(desk: Desk) -> None:
    ask(desk, "OUT_SP_1 100")
    ask(desk, "START_1")
    assert ask(desk, "OUT_WD1@60") == "60 \r\n"
    desk.wait(50.0)
    ask(desk, "OUT_WD1@60")
    desk.wait(50.0)
    assert desk.events("plate") == ["heater on"]
    desk.wait(20.0)
    assert desk.events("plate") == ["heater on", "watchdog 1", "heater off"]


def test_watchdog_1_wants_20_to_1500_seconds(desk: Desk) -> None:
    assert ask(desk, "OUT_WD1@19") == ""
    assert ask(desk, "OUT_WD1@1501") == ""
    assert ask(desk, "OUT_WD1@0") == ""


def test_the_set_temperature_stays_below_the_safety_circuit(desk: Desk) -> None:
    ask(desk, "OUT_SP_1 310")
    ask(desk, "OUT_SP_1 311")
    assert value(desk, "IN_SP_1") == 310.0


def test_the_journal_tells_heater_and_set_temperature(desk: Desk) -> None:
    for text in ("OUT_SP_1 90", "START_1", "OUT_SP_1 110", "STOP_1", "STOP_1"):
        ask(desk, text)
    told = [
        (line["event"], line.get("set_temperature")) for line in desk.journal("plate")
    ]
    assert told == [("heater on", 90.0), ("heater on", 110.0), ("heater off", None)]
