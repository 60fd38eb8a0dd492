"""What happens to samples and liquids on the bench, told in bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sims.spec import read
from tests.conftest import SIM_BENCH
from tests.sims.desk import Desk

RACK = (-60, -220, -90)
CHUCK = (-100, -60, -80)
TREAT = (-260, -60, -85)
INK = (-100, -20, -70)
"""The gripper's place when the needle, 40 mm beside it, is in the first vial."""
OVER_CHUCK = (-140, -60, -60)
OVER_TREAT = (-300, -60, -65)


class Hands:
    """Move the gantry and the pump of a bench as a driver would."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        desk.open("gantry")
        desk.wait(1.0)
        self.say("$H")
        self.pump("Z0,3,3")

    def say(self, line: str) -> None:
        self.desk.ask("gantry", line.encode() + b"\n", wait=60.0)

    def go(self, at: tuple[float, float, float]) -> None:
        x, y, z = at
        self.say("G53 G0 Z-5")
        self.say(f"G53 G0 X{x} Y{y}")
        self.say(f"G53 G0 Z{z}")

    def carry(self, start: tuple[float, ...], end: tuple[float, ...]) -> None:
        self.go(start)  # type: ignore[arg-type]
        self.close()
        self.go(end)  # type: ignore[arg-type]
        self.open()

    def close(self) -> None:
        self.say("M9")
        self.say("M8")

    def open(self) -> None:
        self.say("M9")
        self.say("M7")

    def pump(self, string: str) -> None:
        self.desk.ask("pump", f"/1{string}R\r".encode(), wait=60.0)

    def pour(
        self, vial: tuple[float, ...], over: tuple[float, ...], volume: int
    ) -> None:
        self.go(vial)  # type: ignore[arg-type]
        self.pump(f"I1A{3 * volume}")
        self.go(over)  # type: ignore[arg-type]
        self.pump("A0")

    def spin(self, rpm: float, seconds: float) -> None:
        self.desk.tell("vacuum", b"\xa0\x01\x01\xa2")
        for line in (
            "w axis0.requested_state 3",
            "w axis0.requested_state 8",
            "w axis0.controller.config.vel_limit 150",
            "w axis0.controller.config.vel_ramp_rate 20",
            "w axis0.controller.config.control_mode 2",
            "w axis0.controller.config.input_mode 2",
            f"w axis0.controller.input_vel {rpm / 60}",
        ):
            self.desk.ask("spin_coater", line.encode() + b"\n")
            if line.endswith("state 3"):
                self.desk.wait(20.0)
        self.desk.wait(seconds)
        self.desk.ask("spin_coater", b"w axis0.controller.input_vel 0\n", wait=20.0)
        self.desk.tell("vacuum", b"\xa0\x01\x00\xa1")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path, read(SIM_BENCH))
    yield desk
    desk.close()


def sample_in(desk: Desk, slot: str) -> Any:
    return desk.bench.world.sample_at(slot)


def test_a_carried_sample_is_in_exactly_one_place(desk: Desk) -> None:
    hands = Hands(desk)
    sample = sample_in(desk, "rack.1")
    hands.go(RACK)
    hands.close()
    assert desk.bench.world.carried is sample
    assert sample_in(desk, "rack.1") is None
    hands.go(CHUCK)
    hands.open()
    assert desk.bench.world.carried is None
    assert sample_in(desk, "chuck") is sample
    assert [one for one in desk.events("gantry") if one != "moved"] == [
        "homed",
        "gripped",
        "released",
    ]


def test_a_sample_let_go_in_the_air_is_lost(desk: Desk) -> None:
    hands = Hands(desk)
    hands.carry(RACK, (-200, -300, -20))
    assert desk.events("gantry")[-1] == "dropped"
    assert desk.bench.world.carried is None
    hands.go(RACK)
    hands.close()
    assert desk.events("gantry")[-1] == "gripped nothing"


def test_a_reset_leaves_the_gripper_as_it_was(desk: Desk) -> None:
    hands = Hands(desk)
    hands.go(RACK)
    hands.close()
    hands.say("G53 G0 Z-5")
    desk.ask("gantry", b"\x18")
    assert "dropped" not in desk.events("gantry")
    assert desk.bench.world.carried is not None


def test_ink_poured_and_spun_leaves_a_thin_film(desk: Desk) -> None:
    hands = Hands(desk)
    hands.carry(RACK, CHUCK)
    hands.pour(INK, OVER_CHUCK, 200)
    poured = desk.journal("pump")[-1]
    assert poured["event"] == "poured"
    assert poured["parts"] == {"ink": pytest.approx(200.0, abs=0.5)}
    thick = sample_in(desk, "chuck").thickness
    hands.spin(2000, 30)
    spun = desk.journal("spin_coater")[-1]
    assert spun["event"] == "spun"
    assert spun["rpm"] == pytest.approx(2000.0, abs=1.0)
    assert 25.0 < spun["seconds"] < 31.0
    assert 20.0 < sample_in(desk, "chuck").thickness < 200.0 < thick


def test_a_chuck_without_a_sample_coats_nothing(desk: Desk) -> None:
    hands = Hands(desk)
    hands.pour(INK, OVER_CHUCK, 200)
    assert desk.events("pump")[-1] == "spilled"
    hands.spin(2000, 10)
    assert desk.journal("spin_coater")[-1]["sample"] is None


def test_liquid_is_conserved_between_vial_syringe_and_waste(desk: Desk) -> None:
    hands = Hands(desk)
    vessels = desk.bench.world.vessels
    before = vessels["shelf.1"].parts["ink"]
    hands.go(INK)
    hands.pump("I1A1500")
    assert vessels["shelf.1"].parts["ink"] == pytest.approx(before - 500.0)
    hands.pump("I3A0")
    assert vessels["waste"].parts["ink"] == pytest.approx(500.0)


def test_a_needle_beside_the_vial_draws_air(desk: Desk) -> None:
    hands = Hands(desk)
    hands.go((-100, -26, -70))
    hands.pump("I1A300")
    assert desk.journal("pump")[-1]["parts"] == {"air": pytest.approx(100.0, abs=0.5)}


def test_a_film_on_a_hot_plate_gets_hot(desk: Desk) -> None:
    hands = Hands(desk)
    hands.carry(RACK, CHUCK)
    hands.pour(INK, OVER_CHUCK, 200)
    hands.spin(2000, 30)
    hands.carry(CHUCK, TREAT)
    desk.open("treat_plate")
    desk.ask("treat_plate", b"OUT_SP_1 120 \r\nSTART_1 \r\n")
    for _ in range(60):
        desk.wait(30.0)
    heat = sample_in(desk, "treat").history[-1]
    assert heat["event"] == "heat"
    assert heat["peak"] > 110.0
    assert sample_in(desk, "treat").conductivity > 0.0


def test_the_same_seed_gives_the_same_lab(tmp_path: Path) -> None:
    truths = []
    for number in range(2):
        desk = Desk(tmp_path / str(number), read(SIM_BENCH), seed=3)
        hands = Hands(desk)
        hands.carry(RACK, CHUCK)
        hands.pour(INK, OVER_CHUCK, 150)
        hands.spin(3000, 20)
        hands.carry(CHUCK, (-260, -140, -80))
        hands.go((-260, -140, -80))
        hands.close()
        desk.close()
        path = desk.bench.directory / "truth" / "samples.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        truths.append([{k: v for k, v in one.items() if k != "wall"} for one in lines])
    assert truths[0] == truths[1]
    assert truths[0][-1]["thickness_nm"] > 0.0
