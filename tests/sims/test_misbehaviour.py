"""What each instrument does when it is busy for ever, refuses, breaks or loses power."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sims.bench import panel_class
from sims.faults import KINDS, SIDED, applicable
from sims.modbus import framed
from tests.sims.desk import Desk
from tests.sims.faulty import (
    INSTRUMENTS,
    LONG,
    QUESTION,
    SAID,
    WIRED,
    Faulty,
    faults,
    rule,
)
from tests.sims.film import Film, bring, put

SCPI = ["keithley2400", "keithley2700", "pm100"]
CONFIG = "axis0.controller.config."


def panel(desk: Desk, name: str) -> Any:
    return desk.bench.instruments[name]


def only(desk: Desk, name: str, kind: str) -> None:
    assert faults(desk, name) == [kind]


# -- pump --------------------------------------------------------------------------


def pump(faulty: Faulty, kind: str, command: str, **more: Any) -> Desk:
    desk = faulty(rule("cavro", kind, command=command, **more))
    desk.ask("cavro", b"/1ZR\r", 30.0)
    return desk


def test_a_pump_stays_busy_until_it_is_told_to_stop(faulty: Faulty) -> None:
    desk = pump(faulty, "busy", r"A\d+R")
    assert desk.ask("cavro", b"/1A300R\r") == b"/0@\x03\r\n"
    desk.wait(1000.0)
    assert panel(desk, "cavro").pump.place == pytest.approx(0.1)
    assert desk.ask("cavro", b"/1Q\r") == b"/0@\x03\r\n"
    assert desk.ask("cavro", b"/1A0R\r") == b"/0O\x03\r\n"
    desk.ask("cavro", b"/1T\r")
    desk.ask("cavro", b"/1Q\r")
    assert desk.ask("cavro", b"/1Q\r") == b"/0`\x03\r\n"
    only(desk, "cavro", "busy")


def test_a_pump_refuses_and_does_not_move(faulty: Faulty) -> None:
    desk = pump(faulty, "refuse", r"A\d+R")
    assert desk.ask("cavro", b"/1A300R\r", 10.0) == b"/0c\x03\r\n"
    assert panel(desk, "cavro").pump.place == 0.0
    assert desk.ask("cavro", b"/1A300R\r", 10.0) == b"/0@\x03\r\n"


def test_a_plunger_overload_wants_an_initialisation(faulty: Faulty) -> None:
    desk = pump(faulty, "device_fault", "Q")
    desk.ask("cavro", b"/1A3000R\r")
    desk.wait(0.5)
    desk.ask("cavro", b"/1Q\r")
    stopped = panel(desk, "cavro").pump.place
    assert 0.0 < stopped < 1.0
    assert desk.ask("cavro", b"/1?23\r") == b"/0iXC 1.40\x03\r\n"
    assert desk.ask("cavro", b"/1A300R\r", 10.0) == b"/0i\x03\r\n"
    assert panel(desk, "cavro").pump.place == stopped
    desk.ask("cavro", b"/1ZR\r", 30.0)
    assert desk.ask("cavro", b"/1Q\r") == b"/0`\x03\r\n"
    assert "overload" in desk.events("cavro")


def test_a_pump_without_power_forgets_and_keeps_its_liquid(faulty: Faulty) -> None:
    desk = pump(faulty, "power_cycle", r"\?1", seconds=20.0)
    desk.ask("cavro", b"/1V500R\r")
    desk.ask("cavro", b"/1A1500R\r", 30.0)
    assert desk.ask("cavro", b"/1?1\r", 19.0) == b""
    assert desk.ask("cavro", b"/1?1\r") == b""
    desk.wait(2.0)
    assert desk.ask("cavro", b"/1?2\r") == b"/0`1400\x03\r\n"
    assert desk.ask("cavro", b"/1?\r") == b"/0`0\x03\r\n"
    assert desk.ask("cavro", b"/1A300R\r") == b"/0g\x03\r\n"
    assert panel(desk, "cavro").pump.place == 0.5
    assert sum(panel(desk, "cavro").pump.contents.values()) == pytest.approx(500.0)


# -- gantry ------------------------------------------------------------------------


def report(desk: Desk) -> str:
    heard = desk.ask("grbl", b"?").decode()
    assert heard.startswith("<")
    return heard[1:].partition("|")[0]


def test_a_gantry_stays_in_run_until_it_is_reset(faulty: Faulty) -> None:
    desk = faulty(rule("grbl", "busy", command="G1 .*"))
    assert desk.ask("grbl", b"$X\nG1 X10 F1000\n").endswith(b"ok\r\n")
    desk.wait(1000.0)
    assert report(desk) == "Run"
    assert desk.ask("grbl", b"G4 P0\n", 1000.0) == b""
    desk.ask("grbl", b"!")
    assert report(desk) == "Hold:0"
    desk.ask("grbl", b"\x18")
    assert report(desk) == "Idle"
    assert desk.ask("grbl", b"G4 P0\n") == b"ok\r\n"


def test_a_gantry_that_is_busy_for_ever_never_ends_homing(faulty: Faulty) -> None:
    desk = faulty(rule("grbl", "busy", command=r"\$H"))
    assert desk.ask("grbl", b"$H\n", 1000.0) == b""
    assert desk.ask("grbl", b"\x18").startswith(b"ALARM:6")


def test_a_gantry_refuses_and_does_not_move(faulty: Faulty) -> None:
    desk = faulty(rule("grbl", "refuse", command="G0.*"))
    desk.ask("grbl", b"$X\n")
    before = panel(desk, "grbl").motion.gantry.true
    assert desk.ask("grbl", b"G0 X10\n", 100.0) == b"error:2\r\n"
    assert panel(desk, "grbl").motion.gantry.true == before


def test_a_limit_switch_stops_the_gantry(faulty: Faulty) -> None:
    desk = faulty(rule("grbl", "device_fault", command=r"\?"))
    desk.ask("grbl", b"$X\nG1 X100 F1000\n")
    desk.wait(2.0)
    heard = desk.ask("grbl", b"?")
    assert heard.endswith(b"ALARM:1\r\n[MSG:Reset to continue]\r\n")
    assert desk.ask("grbl", b"?", 100.0) == b""
    motion = panel(desk, "grbl").motion
    assert not motion.gantry.moving
    lost = [
        t - (c - 250.0)
        for t, c in zip(motion.gantry.true, motion.gantry.counted, strict=True)
    ]
    assert lost[0] != pytest.approx(0.0, abs=1e-6)
    desk.ask("grbl", b"\x18")
    assert report(desk) == "Alarm"


def test_a_gantry_without_power_stops_and_does_not_know_where(faulty: Faulty) -> None:
    desk = faulty(rule("grbl", "power_cycle", command=r"\?", seconds=20.0))
    desk.ask("grbl", b"$X\nG1 X100 F1000\n")
    desk.wait(2.0)
    desk.take("grbl")
    assert desk.ask("grbl", b"?", 19.0) == b""
    desk.wait(2.0)
    assert desk.take("grbl").startswith(b"\r\nGrbl 1.1h")
    assert desk.ask("grbl", b"?").startswith(b"<Alarm|MPos:0.000,0.000,0.000|")
    assert -249.0 < panel(desk, "grbl").motion.gantry.true[0] < -160.0


# -- spin coater -------------------------------------------------------------------


def read(desk: Desk, path: str) -> float:
    return float(desk.ask("odrive", f"r {path}\n".encode()))


def write(desk: Desk, path: str, value: float) -> bytes:
    return desk.ask("odrive", f"w {path} {value}\n".encode())


def spinning(desk: Desk, speed: float = 20.0) -> None:
    write(desk, "axis0.requested_state", 3)
    desk.wait(20.0)
    write(desk, f"{CONFIG}vel_limit", 100)
    write(desk, f"{CONFIG}control_mode", 2)
    write(desk, "axis0.requested_state", 8)
    write(desk, "axis0.controller.input_vel", speed)
    desk.wait(5.0)


def test_a_calibration_never_ends(faulty: Faulty) -> None:
    desk = faulty(rule("odrive", "busy", command=r"w axis0\.requested_state 3"))
    write(desk, "axis0.requested_state", 3)
    desk.wait(1000.0)
    assert read(desk, "axis0.current_state") == 4
    write(desk, "axis0.requested_state", 1)
    assert read(desk, "axis0.current_state") == 1
    spinning(desk)
    assert read(desk, "axis0.current_state") == 8


def test_an_axis_never_closes_its_loop(faulty: Faulty) -> None:
    desk = faulty(rule("odrive", "busy", command=r"w axis0\.requested_state 8"))
    spinning(desk)
    assert read(desk, "axis0.current_state") == 1
    assert read(desk, "axis0.error") == 0
    assert read(desk, "axis0.encoder.vel_estimate") == 0.0
    write(desk, "axis0.requested_state", 1)
    spinning(desk)
    assert read(desk, "axis0.encoder.vel_estimate") == pytest.approx(20.0, abs=0.2)


def test_a_chuck_keeps_its_speed_until_the_axis_is_idle(faulty: Faulty) -> None:
    desk = faulty(rule("odrive", "busy", command="w .*input_vel 0"))
    spinning(desk)
    write(desk, "axis0.controller.input_vel", 0)
    desk.wait(100.0)
    assert read(desk, "axis0.encoder.vel_estimate") == pytest.approx(20.0, abs=0.2)
    write(desk, "axis0.requested_state", 1)
    desk.wait(10.0)
    assert read(desk, "axis0.encoder.vel_estimate") == 0.0


@pytest.mark.parametrize(
    ("check", "answer"), [("", "invalid property"), ("*119", "invalid property*38")]
)
def test_an_axis_refuses_a_property(check: str, answer: str, faulty: Faulty) -> None:
    desk = faulty(rule("odrive", "refuse", command="w .*"))
    line = f"w {CONFIG}vel_limit 50{check}\n"
    heard = desk.ask("odrive", line.encode()).decode()
    assert heard.partition("*")[0].strip() == answer.partition("*")[0]
    assert ("*" in heard) == ("*" in answer)
    assert read(desk, f"{CONFIG}vel_limit") == 2.0


def test_a_driver_fault_disarms_the_axis(faulty: Faulty) -> None:
    desk = faulty(rule("odrive", "device_fault", command="f 0"))
    spinning(desk)
    desk.ask("odrive", b"f 0\n")
    assert read(desk, "axis0.error") == 0x40
    assert read(desk, "axis0.motor.error") == 0x8
    assert read(desk, "axis0.current_state") == 1
    desk.wait(10.0)
    assert read(desk, "axis0.encoder.vel_estimate") == 0.0
    write(desk, "axis0.requested_state", 8)
    assert read(desk, "axis0.current_state") == 1
    desk.ask("odrive", b"sc\n")
    write(desk, "axis0.requested_state", 8)
    assert read(desk, "axis0.current_state") == 8


def test_an_axis_without_power_forgets_its_calibration(faulty: Faulty) -> None:
    desk = faulty(rule("odrive", "power_cycle", command="f 0", seconds=3.0))
    spinning(desk)
    assert desk.ask("odrive", b"f 0\nr axis0.error\n", 2.0) == b""
    desk.wait(10.0)
    assert read(desk, f"{CONFIG}vel_limit") == 2.0
    assert read(desk, "axis0.motor.is_calibrated") == 0
    assert read(desk, "axis0.current_state") == 1
    assert read(desk, "axis0.encoder.vel_estimate") == 0.0


def test_a_calibration_does_not_outlive_the_power(faulty: Faulty) -> None:
    desk = faulty(rule("odrive", "power_cycle", command="f 0", seconds=1.0))
    write(desk, "axis0.requested_state", 3)
    desk.wait(1.0)
    desk.ask("odrive", b"f 0\n", 30.0)
    assert read(desk, "axis0.motor.is_calibrated") == 0


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


# -- SCPI --------------------------------------------------------------------------


def scpi(desk: Desk, name: str, text: str) -> str:
    return desk.ask(name, f"{text}\n".encode(), LONG).decode().strip()


def error(desk: Desk, name: str) -> int:
    return int(scpi(desk, name, ":SYST:ERR?").partition(",")[0])


@pytest.mark.parametrize("name", SCPI)
def test_a_query_is_never_answered(name: str, faulty: Faulty) -> None:
    desk = faulty(rule(name, "busy", command=r"\*IDN\?"))
    assert scpi(desk, name, "*IDN?") == ""
    desk.wait(1000.0)
    assert scpi(desk, name, "*STB?") == ""
    if name != "pm100":  # it knows no ^C
        desk.ask(name, b"\x03")
        assert scpi(desk, name, "*IDN?") != ""
    only(desk, name, "busy")


def test_only_the_power_switch_helps_a_power_meter(faulty: Faulty) -> None:
    desk = faulty(rule("pm100", "busy"), rule("pm100", "power_cycle"))
    assert scpi(desk, "pm100", "*IDN?") == ""
    assert scpi(desk, "pm100", "*IDN?") == ""
    desk.wait(10.0)
    assert scpi(desk, "pm100", "*IDN?").startswith("THORLABS")


@pytest.mark.parametrize("name", SCPI)
def test_a_refused_query_is_an_error_in_the_queue(name: str, faulty: Faulty) -> None:
    desk = faulty(rule(name, "refuse", command=r"\*IDN\?"))
    assert scpi(desk, name, "*IDN?") == ""
    assert error(desk, name) == -222
    assert error(desk, name) == 0
    assert scpi(desk, name, "*IDN?") != ""


def test_a_refused_command_is_not_done(faulty: Faulty) -> None:
    desk = faulty(rule("keithley2400", "refuse", command=":OUTP ON"))
    scpi(desk, "keithley2400", ":OUTP ON")
    assert scpi(desk, "keithley2400", ":OUTP?") == "0"


def test_an_open_interlock_switches_the_source_off(faulty: Faulty) -> None:
    desk = faulty(rule("keithley2400", "device_fault", command=r":READ\?"))
    scpi(desk, "keithley2400", ":OUTP ON")
    assert scpi(desk, "keithley2400", ":READ?") == ""
    assert error(desk, "keithley2400") == 802
    assert scpi(desk, "keithley2400", ":OUTP?") == "0"
    scpi(desk, "keithley2400", ":OUTP ON")
    assert error(desk, "keithley2400") == 802
    assert desk.events("keithley2400")[-1] == "output off"


def test_a_broken_card_moves_no_relay(faulty: Faulty) -> None:
    desk = faulty(rule("keithley2700", "device_fault", command=r"\*STB\?"))
    scpi(desk, "keithley2700", ":ROUT:MULT:CLOS (@101)")
    assert scpi(desk, "keithley2700", "*STB?") == ""
    assert error(desk, "keithley2700") == -240
    scpi(desk, "keithley2700", ":ROUT:MULT:CLOS (@110)")
    assert error(desk, "keithley2700") == -240
    assert panel(desk, "keithley2700").model.closed == {1}


def test_a_broken_head_reads_nothing(faulty: Faulty) -> None:
    desk = faulty(rule("pm100", "device_fault", command=":MEAS.*"))
    assert scpi(desk, "pm100", ":MEAS:POW?") == ""
    assert error(desk, "pm100") == -240
    assert scpi(desk, "pm100", ":READ?") == ""
    assert error(desk, "pm100") == -240
    assert scpi(desk, "pm100", "*IDN?").startswith("THORLABS")


@pytest.mark.parametrize(
    ("name", "setting", "factory", "changed"),
    [
        ("keithley2400", ":SENS:VOLT:NPLC", 1.0, 5.0),
        ("keithley2700", "*ESE", 0.0, 8.0),
        ("pm100", ":SENS:CORR:WAV", 635.0, 550.0),
    ],
)
def test_without_power_settings_are_forgotten(
    name: str, setting: str, factory: float, changed: float, faulty: Faulty
) -> None:
    desk = faulty(rule(name, "power_cycle", command=r"\*STB\?", seconds=3.0))
    scpi(desk, name, f"{setting} {changed}")
    scpi(desk, name, "*NONSENSE")
    assert float(scpi(desk, name, f"{setting}?")) == changed
    assert scpi(desk, name, "*STB?") == ""
    assert scpi(desk, name, "*IDN?") == ""
    desk.wait(3.0)
    assert float(scpi(desk, name, f"{setting}?")) == factory
    assert error(desk, name) == 0


def test_without_power_the_source_is_off_and_the_relays_are_open(
    faulty: Faulty,
) -> None:
    names = ("keithley2400", "keithley2700")
    desk = faulty(*(rule(name, "power_cycle", command=r"\*STB\?") for name in names))
    scpi(desk, "keithley2400", ":OUTP ON")
    scpi(desk, "keithley2700", ":ROUT:MULT:CLOS (@101,110)")
    for name in names:
        scpi(desk, name, "*STB?")
    assert not panel(desk, "keithley2400").output
    assert panel(desk, "keithley2700").model.closed == set()


# -- profilometer ------------------------------------------------------------------


def scans(faulty: Faulty, kind: str, **more: Any) -> tuple[Desk, list[str]]:
    """Return the desk and what was dropped for two samples, one after the other."""
    desk = faulty(rule("profilometer", kind, **more))
    for name in ("one", "two"):
        put(desk, "stylus", None)
        bring(desk, "stylus", Film(name=name, thickness=80.0))
        desk.wait(100.0)
    folder: Path = panel(desk, "profilometer").folder
    return desk, [path.read_text() for path in sorted(folder.iterdir())]


def whole(text: str) -> bool:
    """Whether every row is two numbers and the end is there."""
    *lines, last = text.splitlines()
    if last != "# end":
        return False
    try:
        for row in lines[6:]:
            _, _ = (float(one) for one in row.split(","))
    except ValueError:
        return False
    return True


def dropped(desk: Desk) -> list[str]:
    journal = desk.journal("profilometer")
    return [one["sample"] for one in journal if one["event"] == "scan dropped"]


@pytest.mark.parametrize(
    ("kind", "more", "samples"),
    [
        ("drop", {}, ["two"]),
        ("delay", {"seconds": 200.0}, ["two"]),
        ("busy", {}, []),
        ("duplicate", {}, ["one", "one", "two"]),
    ],
)
def test_files_are_lost_late_or_twice(
    kind: str, more: dict[str, Any], samples: list[str], faulty: Faulty
) -> None:
    desk, texts = scans(faulty, kind, **more)
    assert dropped(desk) == samples
    assert len(texts) == len(samples)
    assert all(whole(text) for text in texts)
    only(desk, "profilometer", kind)
    desk.wait(200.0)
    assert ("one" in dropped(desk)) == (kind in ("delay", "duplicate"))


@pytest.mark.parametrize("kind", ["garble", "truncate"])
def test_a_file_is_spoiled(kind: str, faulty: Faulty) -> None:
    desk, (first, second) = scans(faulty, kind)
    assert not whole(first)
    assert whole(second)
    assert first.endswith("\n") == (kind == "garble")
    only(desk, "profilometer", kind)


def test_an_old_file_comes_again(faulty: Faulty) -> None:
    desk, (first, second) = scans(faulty, "stale_reply")
    assert whole(first)
    assert second == first
    only(desk, "profilometer", "stale_reply")


# -- all of them -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in WIRED for kind in KINDS if kind != "wrong_checksum"],
)
def test_whatever_it_does_is_written_down_once(
    name: str, kind: str, faulty: Faulty
) -> None:
    desk = faulty(rule(name, kind, after=1))
    assert kind in applicable(type(panel(desk, name)))
    for _ in range(4):
        desk.ask(name, QUESTION[name], 20.0)
    (noted,) = (one for one in desk.journal(name) if one["event"] == "fault")
    assert noted["kind"] == kind
    asked = SAID.get(name) or QUESTION[name].decode()
    assert noted["command"] in asked
    assert noted.get("side") == ("reply" if kind in SIDED else None)


def test_an_instrument_says_what_it_can_have() -> None:
    every = frozenset(KINDS)
    for name, entry in INSTRUMENTS.items():
        kinds = applicable(panel_class(entry["panel"], name))
        if name == "profilometer":
            assert kinds == every - {"wrong_checksum", "echo", "disconnect"} - {
                *("refuse", "device_fault", "power_cycle")
            }
        elif name in ("cavro", "odrive", "eurotherm", "new_era"):
            assert kinds == every
        else:
            assert kinds == every - {"wrong_checksum"}
