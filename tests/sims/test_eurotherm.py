"""The simulated controller frames, refuses and heats as its handbook says."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims import modbus
from sims.models.bath import Bath
from tests.sims.desk import Desk

SPEC = {
    "instruments": {
        "oven": {"panel": "eurotherm", "slot": "oven", "offset": 0.5},
        "chamber": {"panel": "eurotherm", "cooler": True, "unit": 7},
    },
    "slots": {"oven": {"at": [0.0, 0.0, 0.0]}},
}
ASK = modbus.framed(b"\x01\x03\x00\x01\x00\x05")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path, SPEC)
    yield desk
    desk.close()


def exchange(desk: Desk, *body: int, name: str = "oven", unit: int = 1) -> bytes:
    """Ask, and return function and data of the answer."""
    answer = desk.ask(name, modbus.framed(bytes((unit, *body))), 0.2)
    if not answer:
        return b""
    assert modbus.right(answer)
    assert answer[0] == unit
    return answer[1:-2]


def read(desk: Desk, register: int, name: str = "oven", unit: int = 1) -> int:
    said = exchange(desk, 3, *register.to_bytes(2, "big"), 0, 1, name=name, unit=unit)
    assert said[:2] == b"\x03\x02"
    return int.from_bytes(said[2:], "big", signed=True)


def write(desk: Desk, register: int, value: int, **whom: Any) -> bytes:
    words = struct.pack(">Hh", register, value)
    return exchange(desk, 6, *words, **whom)


def heat(desk: Desk, temperature: float, **whom: Any) -> None:
    write(desk, 26, round(10 * temperature), **whom)
    write(desk, 276, 1, **whom)


# -- frames ------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.lists(st.integers(1, 12), max_size=8))
def test_a_frame_is_heard_in_whatever_pieces_it_comes(cuts: list[int]) -> None:
    data, messages, rest = ASK * 3, [], b""
    for size in [*cuts, len(data)]:
        piece, data = data[:size], data[size:]
        found, rest = modbus.cut(rest + piece)
        messages += found
    assert [one.data for one in messages] == [ASK] * 3
    assert rest == b""


@settings(max_examples=30)
@given(st.binary(max_size=600))
def test_noise_is_never_lost_nor_taken_for_a_frame(noise: bytes) -> None:
    messages, rest = modbus.cut(noise)
    assert b"".join(one.data for one in messages) + rest == noise
    assert len(rest) <= modbus.LONGEST
    assert all(modbus.right(one.data) for one in messages if one.text)


def test_silence_forgets_half_a_frame(desk: Desk) -> None:
    desk.tell("oven", ASK[:5])
    desk.wait(0.1)
    assert desk.ask("oven", ASK[5:]) == b""
    desk.wait(0.1)
    assert desk.ask("oven", ASK) != b""


def test_an_answer_comes_after_silence_and_at_the_speed_of_the_wire(desk: Desk) -> None:
    desk.tell("oven", ASK)
    desk.wait(3.5 * 10 / 9600)
    assert desk.take("oven") == b""
    desk.wait(0.005 + 14 * 10 / 9600)
    assert desk.take("oven") == b""
    desk.wait(0.002)
    assert len(desk.take("oven")) == 15


def test_another_unit_is_silent_and_everybody_obeys_a_broadcast(desk: Desk) -> None:
    assert exchange(desk, 3, 0, 1, 0, 1, unit=2) == b""
    assert exchange(desk, 3, 0, 1, 0, 1, name="chamber") == b""
    for name in ("oven", "chamber"):
        desk.tell(name, modbus.framed(b"\x00\x06\x00\x1a\x01\x90"))
        desk.wait(0.2)
        assert desk.take(name) == b""
    assert read(desk, 26) == read(desk, 26, name="chamber", unit=7) == 400


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\x02\x00\x01\x00\x01", 1),
        (b"\x08\x00\x00\x12\x34", 1),
        (b"\x03\x00\x64\x00\x01", 2),
        (b"\x03\x00\x01\x00\x7e", 3),
        (b"\x03\x80\x03\x00\x02", 2),
        (b"\x03\x80\x02\x00\x03", 2),
        (b"\x06\x00\x4b\x00\x01", 2),
        (b"\x06\x01\x11\x00\x03", 3),
        (b"\x06\x00\x1a\x17\x71", 3),
        (b"\x10\x00\x1a\x00\x02\x02\x00\x01", 3),
        (b"\x10\x80\x34\x00\x02\x04\x7f\xc0\x00\x00", 3),
    ],
)
def test_what_cannot_be_is_an_exception(desk: Desk, body: bytes, code: int) -> None:
    assert exchange(desk, *body) == bytes((body[0] | 0x80, code))


# -- parameters --------------------------------------------------------------------


@settings(max_examples=30)
@given(st.floats(-200.0, 600.0, width=32))
def test_a_parameter_is_the_same_as_number_and_as_float(value: float) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder), {"instruments": {"oven": {"panel": "eurotherm"}}})
        words = struct.pack(">f", value)
        assert exchange(desk, 16, 0x80, 52, 0, 2, 4, *words) == b"\x10\x80\x34\x00\x02"
        assert exchange(desk, 3, 0x80, 52, 0, 2) == b"\x03\x04" + words
        assert read(desk, 26) == pytest.approx(10 * value, abs=0.51)
        desk.close()


def test_several_are_written_or_none(desk: Desk) -> None:
    assert exchange(desk, 16, 0, 24, 0, 2, 4, 0, 100, 0, 200) == b"\x10\x00\x18\x00\x02"
    assert (read(desk, 24), read(desk, 25)) == (100, 200)
    assert exchange(desk, 16, 0, 25, 0, 3, 6, 0, 1, 0, 2, 0, 3) == b"\x90\x02"
    assert (read(desk, 25), read(desk, 26)) == (200, 0)


def test_each_write_of_the_eeprom_is_counted_and_noted(desk: Desk) -> None:
    write(desk, 26, 300)
    assert desk.journal("oven") == []
    write(desk, 2, 300)
    write(desk, 2, 300)
    write(desk, 199, 1)
    noted = [one for one in desk.journal("oven") if one["event"] == "eeprom"]
    assert [(one["register"], one["writes"]) for one in noted] == [
        *((24, 1), (24, 2), (199, 3))
    ]


def test_the_target_is_the_active_one_of_two_set_points(desk: Desk) -> None:
    write(desk, 15, 1)
    write(desk, 2, 700)
    assert (read(desk, 24), read(desk, 25)) == (200, 700)


# -- the oven ----------------------------------------------------------------------


def test_it_heats_by_5_kelvin_a_minute_at_most_and_comes_to_rest(desk: Desk) -> None:
    heat(desk, 60.0)
    desk.wait(120.0)
    assert 23.5 < read(desk, 1) / 10 < 23.5 + 10.1
    assert read(desk, 4) == 1000
    desk.wait(3600.0)
    assert read(desk, 1) / 10 == pytest.approx(60.0, abs=0.3)
    assert desk.bench.world.slots["oven"].temperature == pytest.approx(59.5, abs=0.3)


def test_without_a_cooler_it_ends_at_the_room_and_with_one_below(desk: Desk) -> None:
    heat(desk, 5.0)
    heat(desk, 5.0, name="chamber", unit=7)
    desk.wait(7200.0)
    assert read(desk, 1) / 10 == pytest.approx(23.5, abs=0.5)
    assert read(desk, 1, name="chamber", unit=7) == pytest.approx(50, abs=3)


def test_the_rate_of_the_set_point_is_limited_in_its_units(desk: Desk) -> None:
    write(desk, 199, 1)
    write(desk, 35, 20)
    heat(desk, 60.0)
    write(desk, 199, 0)
    begin = read(desk, 5)
    desk.wait(300.0)
    assert read(desk, 5) - begin == pytest.approx(100, abs=2)
    write(desk, 531, 1)
    begin = read(desk, 5)
    desk.wait(300.0)
    assert read(desk, 5) - begin == pytest.approx(2, abs=1)


def test_in_standby_the_outputs_are_off(desk: Desk) -> None:
    heat(desk, 60.0)
    desk.wait(300.0)
    write(desk, 199, 1)
    assert read(desk, 4) == 0
    before = read(desk, 1)
    desk.wait(3600.0)
    assert read(desk, 1) < before
    events = [one for one in desk.events("oven") if one != "eeprom"]
    assert events == ["heater on", "heater off"]


def test_the_status_word_and_its_inverse(desk: Desk) -> None:
    write(desk, 273, 1)
    assert read(desk, 75) == 1 << 4
    assert read(desk, 75) ^ read(desk, 76) == -1


@settings(max_examples=30)
@given(st.lists(st.floats(0.1, 100.0), min_size=1, max_size=20))
def test_how_often_one_looks_matters_little(steps: list[float]) -> None:
    looked, left = (
        Bath(0.05, 0.02, 3600.0, target=80.0, running=True) for _ in range(2)
    )
    for step in steps:
        looked.advance(looked.at + step)
    left.advance(looked.at)
    assert looked.truth == pytest.approx(left.truth, abs=0.5)
