"""The chuck follows its controller, and the controller the firmware's manual."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sims.desk import Desk

CONFIG = "axis0.controller.config."


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    it = {"panel": "odrive", "slot": "chuck"}
    slots = {"chuck": {"at": [0, 0, 0]}}
    desk = Desk(tmp_path, {"instruments": {"it": it}, "slots": slots})
    yield desk
    desk.close()


def write(desk: Desk, path: str, value: float) -> None:
    assert desk.ask("it", f"w {path} {value}\n".encode(), wait=0.0) == b""


def read(desk: Desk, path: str) -> float:
    return float(desk.ask("it", f"r {path}\n".encode(), wait=0.01))


def closed_loop(desk: Desk) -> None:
    write(desk, "axis0.requested_state", 3)
    desk.wait(20.0)
    write(desk, "axis0.requested_state", 8)
    write(desk, f"{CONFIG}vel_limit", 150)
    write(desk, f"{CONFIG}vel_ramp_rate", 10)
    write(desk, f"{CONFIG}control_mode", 2)
    write(desk, f"{CONFIG}input_mode", 2)


@pytest.mark.parametrize("rpm", [300.0, 1500.0, 6000.0])
def test_a_spin_is_as_long_and_as_fast_as_it_was_set(desk: Desk, rpm: float) -> None:
    closed_loop(desk)
    ramp = rpm / 60 / 10
    write(desk, "axis0.controller.input_vel", rpm / 60)
    desk.wait(ramp + 30.0)
    assert read(desk, "axis0.encoder.vel_estimate") == pytest.approx(rpm / 60, abs=0.1)
    write(desk, "axis0.controller.input_vel", 0)
    desk.wait(ramp + 1.0)
    assert read(desk, "axis0.encoder.vel_estimate") == 0.0
    (spun,) = (one for one in desk.journal("it") if one["event"] == "spun")
    assert spun["rpm"] == pytest.approx(rpm, rel=1e-4)
    assert spun["seconds"] == pytest.approx(30.0, abs=0.1)
    turns = read(desk, "axis0.encoder.pos_estimate")
    assert turns == pytest.approx(rpm / 60 * (30.0 + ramp), rel=0.01)


def test_two_plateaus_are_two_spins(desk: Desk) -> None:
    closed_loop(desk)
    for rpm, seconds in ((600, 10.0), (3000, 20.0), (0, 20.0)):
        write(desk, "axis0.controller.input_vel", rpm / 60)
        desk.wait(seconds)
    spins = [one["rpm"] for one in desk.journal("it") if one["event"] == "spun"]
    assert spins == [600.0, 3000.0]


def test_a_disarmed_chuck_runs_out(desk: Desk) -> None:
    closed_loop(desk)
    write(desk, "axis0.controller.input_vel", 20)
    desk.wait(5.0)
    write(desk, "axis0.requested_state", 1)
    assert read(desk, "axis0.encoder.vel_estimate") > 15.0
    desk.wait(10.0)
    assert read(desk, "axis0.encoder.vel_estimate") == 0.0
    assert "rest" in desk.events("it")


def test_a_chuck_stands_at_the_angle_it_is_sent_to(desk: Desk) -> None:
    closed_loop(desk)
    write(desk, "axis0.controller.input_vel", 3.3)
    desk.wait(5.0)
    write(desk, "axis0.controller.input_vel", 0)
    desk.wait(5.0)
    write(desk, f"{CONFIG}circular_setpoints", 1)
    write(desk, "axis0.controller.input_pos", 0.25)
    write(desk, f"{CONFIG}control_mode", 3)
    write(desk, f"{CONFIG}input_mode", 5)
    desk.wait(20.0)
    assert read(desk, "axis0.encoder.pos_circular") == pytest.approx(0.25, abs=0.01)


def test_an_endless_line_is_thrown_away(desk: Desk) -> None:
    assert desk.ask("it", b"r " + b"x" * 400 + b"\n") == b""
    assert desk.ask("it", b"r axis0.error\n") == b"0\r\n"


def test_saved_settings_survive_a_reboot(desk: Desk) -> None:
    write(desk, f"{CONFIG}vel_limit", 99)
    desk.ask("it", b"ss\n")
    write(desk, f"{CONFIG}vel_limit", 11)
    desk.ask("it", b"sr\n")
    assert read(desk, f"{CONFIG}vel_limit") == 99.0
