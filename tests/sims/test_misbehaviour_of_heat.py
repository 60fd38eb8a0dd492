"""What thermostats and a balance do when they are busy, refuse, break or lose power."""

from __future__ import annotations

import pytest

from sims.modbus import framed
from tests.sims.desk import Desk
from tests.sims.faulty import (
    LONG,
    QUESTION,
    Faulty,
    only,
    panel,
    rule,
)

# -- hotplate ----------------------------------------------------------------------


def plate(desk: Desk, text: str) -> str:
    return desk.ask("ika", f"{text} \r\n".encode(), 1.0).decode()


def degrees(desk: Desk, text: str = "IN_PV_2") -> float:
    return float(plate(desk, text).split()[0])


def test_a_plate_never_gets_warm(faulty: Faulty) -> None:
    desk = faulty(rule("ika", "busy", command="START_1"))
    plate(desk, "OUT_SP_1 100")
    plate(desk, "START_1")
    desk.wait(3000.0)
    assert degrees(desk) < 30.0
    assert degrees(desk, "IN_SP_1") == 100.0
    assert desk.events("ika") == ["fault", "heater on"]


def test_a_plate_refuses_in_silence(faulty: Faulty) -> None:
    desk = faulty(rule("ika", "refuse", command="OUT_SP_1.*"))
    assert plate(desk, "OUT_SP_1 100") == ""
    assert degrees(desk, "IN_SP_1") == 0.0
    only(desk, "ika", "refuse")


def test_a_broken_plate_cools_and_says_nothing(faulty: Faulty) -> None:
    desk = faulty(rule("ika", "device_fault", command="IN_PV_2"))
    plate(desk, "OUT_SP_1 100")
    plate(desk, "START_1")
    desk.wait(900.0)
    assert degrees(desk) == pytest.approx(100.0, abs=1.0)
    for text in ("START_1", "RESET", "START_1"):
        plate(desk, text)
    desk.wait(900.0)
    assert degrees(desk) < 40.0
    assert desk.events("ika") == ["heater on", "fault", "heater off", "broken"]


def test_a_plate_without_power_is_off_when_it_comes_back(faulty: Faulty) -> None:
    desk = faulty(rule("ika", "power_cycle", command="IN_PV_2", seconds=10.0))
    plate(desk, "OUT_SP_1 100")
    plate(desk, "OUT_WD1@30")
    plate(desk, "START_1")
    desk.wait(20.0)
    assert plate(desk, "IN_PV_2") == ""
    desk.wait(60.0)
    assert degrees(desk, "IN_SP_1") == 0.0
    assert desk.events("ika") == ["heater on", "fault", "heater off", "power lost"]
    plate(desk, "OUT_SP_1 100")
    plate(desk, "START_1")
    assert desk.events("ika")[-1] == "heater on"


# -- thermostats and balance ---------------------------------------------------------


def oven(desk: Desk, text: str) -> bytes:
    body = bytes.fromhex(text)
    return desk.ask("eurotherm", framed(body), 0.2)[1:-2]


def bath(desk: Desk, text: str) -> str:
    return desk.ask("julabo", f"{text}\r".encode(), 0.3).decode().strip()


def balance(desk: Desk, text: str) -> str:
    return desk.ask("mettler", f"{text}\r\n".encode(), LONG).decode().strip()


def heat_oven(desk: Desk) -> None:
    oven(desk, "01 06 00 1A 02 58")
    oven(desk, "01 06 01 14 00 01")


def test_an_oven_that_is_busy_for_ever_heats_no_more(faulty: Faulty) -> None:
    desk = faulty(rule("eurotherm", "busy", command="write 276 1"))
    heat_oven(desk)
    desk.wait(3600.0)
    assert panel(desk, "eurotherm").temperature() < 24.0
    assert oven(desk, "01 03 00 04 00 01") == b"\x03\x02\x03\xe8"


def test_an_oven_refuses_with_an_exception_and_does_nothing(faulty: Faulty) -> None:
    desk = faulty(rule("eurotherm", "refuse", command="write 26 .*"))
    assert oven(desk, "01 06 00 1A 02 58") == b"\x86\x03"
    assert oven(desk, "01 03 00 1A 00 01") == b"\x03\x02\x00\x00"


def test_a_broken_sensor_switches_the_oven_off(faulty: Faulty) -> None:
    desk = faulty(rule("eurotherm", "device_fault", command="read 75 1"))
    heat_oven(desk)
    assert oven(desk, "01 03 00 4B 00 01") == b"\x03\x02\x00\x20"
    assert oven(desk, "01 03 00 04 00 01") == b"\x03\x02\x00\x00"
    assert desk.events("eurotherm")[-2:] == ["heater off", "broken"]


def test_an_oven_without_power_forgets_its_remote_set_point_only(
    faulty: Faulty,
) -> None:
    desk = faulty(rule("eurotherm", "power_cycle", command="read 1 1", seconds=10.0))
    heat_oven(desk)
    assert oven(desk, "01 03 00 01 00 01") == b""
    desk.wait(11.0)
    assert oven(desk, "01 03 00 1A 00 01") == b"\x03\x02\x00\x00"
    assert oven(desk, "01 03 01 14 00 01") == b"\x03\x02\x00\x01"


def test_a_frame_with_a_wrong_checksum_is_not_obeyed(faulty: Faulty) -> None:
    desk = faulty(rule("eurotherm", "wrong_checksum", side="command"))
    assert oven(desk, "01 06 00 1A 02 58") == b""
    assert oven(desk, "01 03 00 1A 00 01") == b"\x03\x02\x00\x00"
    desk = faulty(rule("eurotherm", "wrong_checksum"))
    answer = desk.ask("eurotherm", QUESTION["eurotherm"], LONG)
    right = faulty.answer("eurotherm", QUESTION["eurotherm"])
    assert answer[:-2] == right[:-2]
    assert answer[-2:] != right[-2:]


def test_a_circulator_refuses_and_says_why_once(faulty: Faulty) -> None:
    desk = faulty(rule("julabo", "refuse", command="out_mode_05 1"))
    bath(desk, "out_mode_05 1")
    assert bath(desk, "in_mode_05") == "0"
    assert bath(desk, "status").startswith("-09 ")
    assert bath(desk, "status") == "02 REMOTE STOP"


def test_a_circulator_low_of_liquid_stops_and_stays_so(faulty: Faulty) -> None:
    desk = faulty(rule("julabo", "device_fault", command="in_pv_00"))
    bath(desk, "out_mode_05 1")
    bath(desk, "in_pv_00")
    assert bath(desk, "status") == bath(desk, "status") == "-01 LOW LEVEL ALARM"
    bath(desk, "out_mode_05 1")
    assert bath(desk, "in_mode_05") == "0"
    assert desk.events("julabo") == ["heater on", "fault", "heater off", "broken"]


def test_a_circulator_that_is_busy_for_ever_heats_no_more(faulty: Faulty) -> None:
    desk = faulty(rule("julabo", "busy", command="out_mode_05 1"))
    bath(desk, "out_sp_00 60")
    bath(desk, "out_mode_05 1")
    desk.wait(3600.0)
    assert panel(desk, "julabo").temperature() == pytest.approx(23.0, abs=0.5)


def test_a_balance_hangs_refuses_breaks_and_loses_its_tare(faulty: Faulty) -> None:
    desk = faulty(rule("mettler", "refuse", command="SI"))
    assert balance(desk, "SI") == "EL"
    assert balance(desk, "SI").startswith("S S ")
    desk = faulty(rule("mettler", "device_fault", command="SI"))
    assert balance(desk, "SI") == balance(desk, "SI") == "S S Error 10b"
    desk = faulty(rule("mettler", "busy", command="SI"))
    assert balance(desk, "SI") == balance(desk, "I4") == ""
    desk = faulty(rule("mettler", "power_cycle", command="SI", seconds=5.0))
    balance(desk, "TA 5.00 g")
    assert balance(desk, "SI") == ""
    desk.wait(6.0)
    assert desk.take("mettler") == b'I4 A "B123456789"\r\n'
    assert balance(desk, "TA") == "TA A     0.0000 g"
