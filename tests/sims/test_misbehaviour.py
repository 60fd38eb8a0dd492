"""What moves, when it is busy for ever, refuses, breaks or loses power; what all have in common."""

from __future__ import annotations

from typing import Any

import pytest

from sims.bench import panel_class
from sims.faults import KINDS, SIDED, applicable
from tests.sims.desk import Desk
from tests.sims.faulty import (
    INSTRUMENTS,
    QUESTION,
    SAID,
    WIRED,
    Faulty,
    only,
    panel,
    rule,
)

CONFIG = "axis0.controller.config."


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
