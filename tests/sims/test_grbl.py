"""The gantry keeps its laws whatever it is told."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sims.desk import Desk

SPEC = {"instruments": {"gantry": {"panel": "grbl", "start": [-250, -200, -20]}}}
LINES = st.lists(
    st.one_of(
        st.sampled_from(
            ["G0 X-10", "G1 Y-5 F600", "G91", "G90", "M8", "M9", "G4 P0.1"]
        ),
        st.sampled_from(
            ["$J=G91 X-3 F900", "$$", "$G", "$#", "$I", "G2 X-5 Y-5 R9", "G20"]
        ),
        st.sampled_from(
            ["G92 X0", "G10 L20 P1 Z0", "G54", "G55", "G28", "G93", "M30", "F"]
        ),
        st.text(
            st.characters(codec="ascii", exclude_characters="\r\n\x18!~?"), max_size=90
        ),
    ),
    max_size=15,
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = homed(tmp_path)
    yield desk
    desk.close()


def homed(directory: Path) -> Desk:
    desk = Desk(directory, SPEC)
    desk.open("gantry")
    desk.wait(1.0)
    desk.ask("gantry", b"$H\n", wait=120.0)
    return desk


def state(desk: Desk) -> str:
    return desk.ask("gantry", b"?").decode().partition("|")[0].strip("<\r\n")


def place(desk: Desk) -> list[float]:
    found = re.search(r"MPos:([-\d.,]+)", desk.ask("gantry", b"?").decode())
    assert found is not None
    return [float(one) for one in found[1].split(",")]


@settings(max_examples=60, deadline=None)
@given(LINES)
def test_every_line_has_exactly_one_answer(lines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        desk = homed(Path(directory))
        asleep = False
        for line in lines:
            asleep |= line.strip().upper().startswith("$SLP")
            heard = desk.ask("gantry", line.encode() + b"\n", wait=100.0).decode()
            answers = re.findall(r"^(?:ok|error:\d+)\r$", heard, re.MULTILINE)
            held = state(desk).startswith("Hold")
            assert len(answers) == 1 or asleep or held
            if asleep or held:
                break
        desk.close()


def test_hold_and_resume_end_where_the_move_ends(desk: Desk) -> None:
    desk.ask("gantry", b"G53 G0 X-300\n", wait=0.4)
    desk.ask("gantry", b"!", wait=2.0)
    assert state(desk) == "Hold:0"
    assert -300.0 < place(desk)[0] < -1.0
    desk.ask("gantry", b"~", wait=10.0)
    assert state(desk) == "Idle"
    assert place(desk)[0] == -300.0


def test_a_slower_feed_takes_longer(desk: Desk) -> None:
    desk.ask("gantry", b"G1 X-101 F6000\n", wait=0.5)
    desk.ask("gantry", b"\x91" * 10, wait=0.45)
    assert state(desk) == "Idle"
    desk.ask("gantry", b"\x90G1 X-1 F6000\n", wait=0.9)
    assert state(desk) == "Run"


def test_soft_limits_stop_the_machine_until_a_reset(desk: Desk) -> None:
    desk.ask("gantry", b"$20=1\n")
    heard = desk.ask("gantry", b"G53 G0 X5\n")
    assert heard == b"ALARM:2\r\n[MSG:Reset to continue]\r\n"
    assert desk.ask("gantry", b"G0 X-1\n?") == b""
    assert b"unlock" in desk.ask("gantry", b"\x18")
    assert desk.ask("gantry", b"$J=G91 X100 F600\n") == b"error:9\r\n"
    desk.ask("gantry", b"$X\n")
    assert desk.ask("gantry", b"$J=G91 X100 F600\n") == b"error:15\r\n"


def test_a_jog_can_be_cancelled_and_keeps_the_position(desk: Desk) -> None:
    desk.ask("gantry", b"$J=G91 X-200 F6000\n", wait=0.5)
    assert state(desk) == "Jog"
    desk.ask("gantry", b"\x85", wait=1.0)
    assert state(desk) == "Idle"
    assert -201.0 < place(desk)[0] < -1.0
    here = place(desk)[0]
    desk.ask("gantry", b"G91 G0 X-10\n", wait=5.0)
    assert place(desk)[0] == pytest.approx(here - 10.0, abs=0.002)


def test_an_arc_ends_at_its_target(desk: Desk) -> None:
    desk.ask("gantry", b"G53 G0 X-100 Y-100\n", wait=20.0)
    desk.ask("gantry", b"G2 X-80 Y-100 I10 J0 F3000\n", wait=0.4)
    assert place(desk)[1] > -99.0
    desk.wait(20.0)
    assert place(desk)[:2] == [-80.0, -100.0]


def test_beyond_its_travel_an_axis_stalls_and_is_lost(desk: Desk) -> None:
    desk.ask("gantry", b"G53 G0 X-600\n", wait=20.0)
    assert "stalled" in desk.events("gantry")
    assert place(desk)[0] == -600.0
    assert desk.bench.world.gripper()[0] == pytest.approx(-503.0)


def test_check_mode_moves_nothing(desk: Desk) -> None:
    desk.ask("gantry", b"$C\n")
    assert desk.ask("gantry", b"G0 X-100\n", wait=10.0) == b"ok\r\n"
    assert place(desk)[0] == -1.0
    assert b"[MSG:Disabled]" in desk.ask("gantry", b"$C\n")
