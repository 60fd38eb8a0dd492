"""The simulated power meter sees the lamp through the sample."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sims.desk import Desk
from tests.sims.film import Film, put

SPEC = {
    "instruments": {"meter": {"panel": "pm100", "slot": "optics"}},
    "slots": {"optics": {"at": [0.0, 0.0, 0.0]}},
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path, SPEC)
    desk.ask("meter", b"SENS:CORR:WAV 550;:SENS:AVER:COUN 300\n")
    yield desk
    desk.close()


def ask(desk: Desk, text: str, wait: float = 2.0) -> str:
    return desk.ask("meter", text.encode() + b"\n", wait).decode().rstrip("\n")


def test_power_through_a_sample_over_power_without_is_its_transmittance(
    desk: Desk,
) -> None:
    empty = float(ask(desk, "MEAS:POW?"))
    put(desk, "optics", Film(transmittance=0.83))
    assert float(ask(desk, "MEAS:POW?")) / empty == pytest.approx(0.83, rel=2e-3)


def test_averaging_takes_its_time(desk: Desk) -> None:
    assert ask(desk, "READ?", wait=0.8) == ""
    assert ask(desk, "", wait=0.2) != ""


def test_a_wrong_wavelength_gives_wrong_watts(desk: Desk) -> None:
    right = float(ask(desk, "MEAS:POW?"))
    wrong = float(ask(desk, "SENS:CORR:WAV 850;:MEAS:POW?"))
    assert wrong < 0.7 * right


def test_zeroing_with_the_lamp_on_takes_light_for_darkness(desk: Desk) -> None:
    ask(desk, "SENS:CORR:COLL:ZERO:INIT", wait=0.1)
    assert ask(desk, "SENS:CORR:COLL:ZERO:STAT?", wait=0.1) == "1"
    desk.wait(2.0)
    assert ask(desk, "SENS:CORR:COLL:ZERO:STAT?", wait=0.1) == "0"
    assert float(ask(desk, "SENS:CORR:COLL:ZERO:MAGN?")) > 1e-3
    assert abs(float(ask(desk, "MEAS:POW?"))) < 1e-5


def test_power_comes_in_decibels_on_request(desk: Desk) -> None:
    watts, dbm = map(float, ask(desk, "MEAS:POW?;:SENS:POW:UNIT DBM;:READ?").split(";"))
    assert 10.0 ** (dbm / 10.0) * 1e-3 == pytest.approx(watts, rel=0.01)
