"""The simulated circulator talks and heats as its manual says."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sims.desk import Desk

SPEC = {
    "instruments": {
        "bath": {"panel": "julabo", "slot": "bath"},
        "guarded": {"panel": "julabo", "watchdog": 60},
        "manual": {"panel": "julabo", "remote": False},
    },
    "slots": {"bath": {"at": [0.0, 0.0, 0.0]}},
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path, SPEC)
    yield desk
    desk.close()


def ask(desk: Desk, text: str, name: str = "bath", wait: float = 0.3) -> str:
    return desk.ask(name, text.encode() + b"\r", wait).decode().strip()


def value(desk: Desk, text: str) -> float:
    return float(ask(desk, text))


def test_it_heats_2_kelvin_a_minute_and_settles_within_a_tenth(desk: Desk) -> None:
    ask(desk, "out_sp_00 60.00")
    ask(desk, "out_mode_05 1")
    begin = value(desk, "in_pv_00")
    desk.wait(300.0)
    assert value(desk, "in_pv_01") == 100.0
    assert 7.0 < value(desk, "in_pv_00") - begin < 10.1
    desk.wait(3600.0)
    readings = [value(desk, "in_pv_00") for _ in range(20)]
    assert readings == pytest.approx([60.0] * 20, abs=0.1)
    assert len(set(readings)) > 1
    truth = desk.bench.world.slots["bath"].temperature
    assert truth == pytest.approx(60.0, abs=0.3)


def test_it_cools_slower_than_it_heats_and_says_so(desk: Desk) -> None:
    ask(desk, "out_sp_00 -10.00")
    ask(desk, "out_mode_05 1")
    begin = value(desk, "in_pv_00")
    desk.wait(300.0)
    assert value(desk, "in_pv_01") == -100.0
    assert 2.5 < begin - value(desk, "in_pv_00") < 5.1
    desk.wait(7200.0)
    assert value(desk, "in_pv_00") == pytest.approx(-10.0, abs=0.1)


def test_upper_and_lower_case_are_one(desk: Desk) -> None:
    assert ask(desk, "VERSION") == ask(desk, "Version") == "JULABO CF31 VERSION 5.0"


def test_what_comes_too_soon_after_an_order_is_not_heard(desk: Desk) -> None:
    ask(desk, "out_sp_00 60.00", wait=0.1)
    assert ask(desk, "in_sp_00", wait=0.1) == ""
    assert ask(desk, "in_sp_00", wait=0.1) == "60.00"
    desk.tell("bath", b"out_sp_00 70.00\rout_mode_05 1\r")
    desk.wait(0.3)
    assert (ask(desk, "in_sp_00"), ask(desk, "in_mode_05")) == ("70.00", "0")


def test_orders_are_refused_under_manual_operation(desk: Desk) -> None:
    for order in ("out_sp_00 60.00", "out_mode_05 1"):
        assert ask(desk, order, "manual") == ""
        assert ask(desk, "status", "manual").startswith("-09 COMMAND NOT ALLOWED")
        assert ask(desk, "status", "manual") == "00 MANUAL STOP"
    assert ask(desk, "in_mode_05", "manual") == "0"
    assert desk.events("manual") == []


def test_the_reason_is_the_last_one(desk: Desk) -> None:
    ask(desk, "out_sp_00 900")
    ask(desk, "hello")
    assert ask(desk, "status") == "-08 INVALID COMMAND"
    ask(desk, "out_sp_00 900")
    ask(desk, "out_sp_00 50")
    assert ask(desk, "status") == "02 REMOTE STOP"


def test_a_warning_limit_bounds_the_set_point(desk: Desk) -> None:
    ask(desk, "out_sp_03 80.00")
    ask(desk, "out_sp_00 81.00")
    assert ask(desk, "status") == "-13 VALUE EXCEEDS TEMPERATURE LIMITS"
    assert ask(desk, "in_sp_00") == "25.00"


def test_the_watchdog_stops_it_unless_it_hears_something(desk: Desk) -> None:
    ask(desk, "out_mode_05 1", "guarded")
    desk.wait(50.0)
    ask(desk, "in_mode_05", "guarded")
    desk.wait(50.0)
    assert desk.events("guarded") == ["heater on"]
    desk.wait(20.0)
    assert desk.events("guarded") == ["heater on", "watchdog", "heater off"]
    for _ in range(2):
        assert ask(desk, "status", "guarded") == "-1501 SERIAL WATCHDOG ALARM"
    ask(desk, "out_mode_05 0", "guarded")
    assert ask(desk, "status", "guarded") == "02 REMOTE STOP"


@settings(max_examples=30)
@given(st.binary(max_size=60))
def test_nonsense_is_met_with_silence(noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder), {"instruments": {"bath": {"panel": "julabo"}}})
        said = b"X" + noise.replace(b"_", b"-").replace(b"\r", b"").replace(b"\n", b"")
        assert desk.ask("bath", said + b"\r", 1.0) == b""
        desk.close()
