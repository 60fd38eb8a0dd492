"""The impedance analyser measures its cell, and takes its time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sims.e4980a_table import FUNCTIONS, pair, period
from sims.models.measured_cell import fixed_cell
from sims.spec import BadBench
from tests.sims.desk import BLINK, Desk

FILM = {"conductivity_S_cm": 1e-6, "thickness_um": 100.0, "area_cm2": 0.785}
BULK = 1.274e4
LONG_ENOUGH = 5.0


def at_desk(directory: Path, cell: Any, seed: int = 0) -> Desk:
    desk = Desk(
        directory, {"instruments": {"lcr": {"panel": "e4980a", "cell": cell}}}, seed
    )
    for line in (b":TRIG:SOUR BUS", b":FUNC:IMP RX", b":VOLT 0.01", b":APER LONG"):
        desk.ask("lcr", line + b"\n")
    return desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = at_desk(tmp_path, FILM)
    yield made
    made.close()


def ask(desk: Desk, question: str, wait: float = LONG_ENOUGH) -> str:
    return desk.ask("lcr", question.encode() + b"\n", wait).decode().strip()


def point(desk: Desk, frequency: float) -> complex:
    ask(desk, f":FREQ {frequency}", BLINK)
    r, x, status = ask(desk, "*TRG").split(",")
    assert status == "+0"
    return complex(float(r), float(x))


def test_a_film_has_its_resistance_its_arc_and_its_spike(desk: Desk) -> None:
    middle = point(desk, 1e4)
    assert middle.real == pytest.approx(BULK, rel=0.05)
    beyond = point(desk, 2e6)
    assert abs(beyond) < 0.2 * BULK
    assert point(desk, 20.0).imag < middle.imag < 0.0


@pytest.mark.parametrize(
    ("aperture", "frequency", "seconds"),
    [
        ("LONG", 20, 0.48),
        ("LONG", 1e3, 0.24),
        ("SHOR", 1e4, 0.0077),
        ("MED", 2e6, 0.089),
    ],
)
def test_a_reading_takes_its_time_as_often_as_it_is_averaged(
    desk: Desk, aperture: str, frequency: float, seconds: float
) -> None:
    ask(desk, f":APER {aperture},4", BLINK)
    ask(desk, f":FREQ {frequency}", BLINK)
    assert ask(desk, "*TRG", 4.0 * seconds - 0.001) == ""
    assert ask(desk, "", 0.002).count(",") == 2


def test_a_list_takes_the_time_of_its_points(desk: Desk) -> None:
    ask(desk, ":DISP:PAGE LIST", BLINK)
    ask(desk, ":LIST:FREQ 20,1000,1E6", BLINK)
    ask(desk, ":TRIG:IMM", 0.0)
    assert ask(desk, ":FETC?", 0.48 + 0.24 + 0.22 - 0.001) == ""
    assert ask(desk, "", 0.002).count(",") == 11


def test_fetch_waits_for_what_is_under_way_and_then_answers_at_once(desk: Desk) -> None:
    ask(desk, ":FREQ 1000;:TRIG:IMM", BLINK)
    assert ask(desk, ":FETC?", 0.1) == ""
    first = ask(desk, "", 0.2)
    assert first == ask(desk, ":FETC?", BLINK)


def test_triggered_by_itself_it_has_a_new_reading_each_time(desk: Desk) -> None:
    ask(desk, ":TRIG:SOUR INT", BLINK)
    readings = {ask(desk, ":FETC?") for _ in range(3)}
    assert len(readings) == 3


def test_an_abort_forgets_what_is_under_way(desk: Desk) -> None:
    point(desk, 1e3)
    before = ask(desk, ":FETC?", BLINK)
    ask(desk, ":FREQ 1E6;:TRIG:IMM;:ABOR", BLINK)
    assert ask(desk, ":FETC?", BLINK) == before


def test_without_continuous_each_trigger_must_be_armed(desk: Desk) -> None:
    ask(desk, ":INIT:CONT OFF", BLINK)
    assert ask(desk, "*TRG") == ""
    assert ask(desk, ":SYST:ERR?") == '-211,"Trigger ignored"'
    ask(desk, ":INIT", BLINK)
    assert ask(desk, "*TRG").endswith(",+0")
    assert ask(desk, "*TRG") == ""


def test_a_stepped_list_gives_a_point_a_trigger(desk: Desk) -> None:
    ask(desk, ":LIST:MODE STEP;:DISP:PAGE LIST;:LIST:FREQ 1000,1E6", BLINK)
    low, high, again = (ask(desk, "*TRG") for _ in range(3))
    assert low.count(",") == high.count(",") == 3
    assert float(low.split(",")[0]) > 5.0 * float(high.split(",")[0])
    assert float(again.split(",")[0]) == pytest.approx(
        float(low.split(",")[0]), rel=0.03
    )


def test_a_list_is_no_longer_than_201_points(desk: Desk) -> None:
    ask(desk, ":LIST:FREQ " + ",".join(["1000"] * 201), BLINK)
    assert ask(desk, ":SYST:ERR?") == '+0,"No error"'
    ask(desk, ":LIST:FREQ " + ",".join(["1000"] * 202), BLINK)
    assert ask(desk, ":SYST:ERR?") == '-223,"Too much data"'


def test_longer_apertures_and_averages_are_quieter(tmp_path: Path) -> None:
    desk = at_desk(tmp_path, FILM)
    spreads = []
    for aperture in ("SHOR,1", "LONG,1", "LONG,16"):
        ask(desk, f":APER {aperture}", BLINK)
        ask(desk, ":FREQ 10000", BLINK)
        found = [float(ask(desk, "*TRG", 9.0).split(",")[0]) for _ in range(60)]
        mean = sum(found) / len(found)
        spreads.append((sum((x - mean) ** 2 for x in found) / len(found)) ** 0.5 / mean)
    assert spreads[0] > 1.5 * spreads[1] > 3.0 * spreads[2]
    assert 0.0015 < spreads[1] < 0.0045
    desk.close()


def test_a_large_signal_on_a_short_overloads_the_source(tmp_path: Path) -> None:
    desk = at_desk(tmp_path, "short")
    ask(desk, ":VOLT 15", BLINK)
    assert ask(desk, "*TRG").split(",")[2] == "+3"
    ask(desk, ":VOLT 1;:AMPL:ALC ON", BLINK)
    assert ask(desk, "*TRG").split(",")[2] == "+4"
    desk.close()


def test_corrections_take_the_fixture_off_and_are_forgotten_by_a_preset(
    tmp_path: Path,
) -> None:
    reactances = []
    desk = at_desk(tmp_path, "short")
    ask(desk, ":FREQ 1E6", BLINK)
    for line in ("", ":CORR:SHOR", ":CORR:SHOR:STAT 1", "*RST"):
        ask(desk, line, 70.0)
    ask(desk, ":TRIG:SOUR BUS;:FUNC:IMP RX;:FREQ 1E6;:VOLT 0.01", BLINK)
    reactances.append(abs(float(ask(desk, "*TRG").split(",")[1])))
    ask(desk, ":SYST:PRES", BLINK)
    assert ask(desk, ":CORR:SHOR:STAT?") == "0"
    ask(desk, ":TRIG:SOUR BUS;:FUNC:IMP RX;:FREQ 1E6;:VOLT 0.01", BLINK)
    ask(desk, ":CORR:SHOR:STAT 1", BLINK)
    reactances.append(abs(float(ask(desk, "*TRG").split(",")[1])))
    assert reactances[0] < 0.1 < 1.0 < reactances[1]
    desk.close()


def test_corrections_outlive_the_bench(desk: Desk) -> None:
    ask(desk, ":CORR:OPEN", 70.0)
    matter = desk.bench.instruments["lcr"].matter()
    assert len(matter["open"]) == 51


def test_one_frequency_can_be_corrected_alone(desk: Desk) -> None:
    ask(desk, ":CORR:SPOT3:FREQ 12345;:CORR:SPOT3:STAT ON", BLINK)
    assert ask(desk, ":CORR:SPOT3:FREQ?") == "+1.23450000000E+04"
    assert ask(desk, ":CORR:SPOT3:STAT?") == "1"
    ask(desk, ":CORR:SPOT3:SHOR")
    assert list(desk.bench.instruments["lcr"].matter()["short"]) == [12345.0]
    ask(desk, ":CORR:SPOT0:FREQ 1000")
    assert ask(desk, ":SYST:ERR?") == '-114,"Header suffix out of range"'


def test_a_bias_drives_a_current_through_lithium_that_dies_down(tmp_path: Path) -> None:
    desk = at_desk(tmp_path, FILM | {"electrodes": "lithium", "transference": 0.25})
    assert abs(float(ask(desk, ":FETC:SMON:IDC?"))) < 1e-8
    ask(desk, ":BIAS:VOLT 0.01;:BIAS:STAT ON", BLINK)
    first = float(ask(desk, ":FETC:SMON:IDC?", BLINK))
    desk.wait(9e3)
    last = float(ask(desk, ":FETC:SMON:IDC?", BLINK))
    assert 0.25 * first < last < 0.5 * first
    assert desk.events("lcr")[-1] == "bias on"
    desk.close()


def test_an_empty_slot_is_an_open_fixture(tmp_path: Path) -> None:
    spec = {
        "instruments": {"lcr": {"panel": "e4980a", "slot": "cell"}},
        "slots": {"cell": {"at": [0.0, 0.0, 0.0]}},
    }
    desk = Desk(tmp_path, spec)
    ask(desk, ":TRIG:SOUR BUS;:FUNC:IMP ZTD", BLINK)
    assert float(ask(desk, "*TRG").split(",")[0]) > 1e7
    desk.close()


def test_a_cell_in_the_slot_is_measured_at_its_temperature(tmp_path: Path) -> None:
    spec = {
        "instruments": {"lcr": {"panel": "e4980a", "slot": "cell"}},
        "slots": {"cell": {"at": [0.0, 0.0, 0.0]}},
    }
    desk = Desk(tmp_path, spec)
    cell = fixed_cell({"molality_mol_kg": 0.9}, "cell", desk.bench.fresh_rng("it"))
    slot = desk.bench.world.slot("cell")
    slot.sample = type("Sample", (), {"name": "it", "cell": cell})()  # type: ignore[assignment]
    ask(desk, ":TRIG:SOUR BUS;:FUNC:IMP RX;:FREQ 200000", BLINK)
    found = []
    for celsius in (30.0, 80.0):
        slot.heat = lambda at=celsius: at
        found.append(float(ask(desk, "*TRG").split(",")[0]))
    assert cell is not None
    expected = cell.bulk_resistance(30.0) - cell.bulk_resistance(80.0)
    assert found[0] - found[1] == pytest.approx(expected, rel=0.1)
    desk.close()


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({}, "state one of conductivity_S_cm"),
        ({"glass_K": 250, "molality_mol_kg": 1}, "state one of"),
        ({"conductivity_S_cm": 0}, "cell.conductivity_S_cm: 0 is not above 0"),
        ({"colour": 1}, "'colour' is not one of"),
        ({"conductivity_S_cm": 1, "electrodes": "gold"}, "'gold' is not steel"),
        ("tin", "expected keys and values, got 'tin'"),
    ],
)
def test_a_cell_that_cannot_be_is_refused(
    cell: object, message: str, tmp_path: Path
) -> None:
    with pytest.raises(BadBench, match=r"^instruments\.lcr\.cell") as refusal:
        Desk(tmp_path, {"instruments": {"lcr": {"panel": "e4980a", "cell": cell}}})
    assert message in str(refusal.value)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_is_of_the_same_impedance(function: str) -> None:
    omega, z = 2.0e4, 300.0 - 400.0j
    a, b = pair(function, z, omega)
    q = 400.0 / 300.0
    if function[:2] in {"CP", "LP"}:
        size = (1 / z).imag
        assert a == pytest.approx(
            size / omega if function[0] == "C" else -1 / (omega * size)
        )
    if function[:2] in {"CS", "LS"}:
        assert a == pytest.approx(
            1 / (omega * 400.0) if function[0] == "C" else -400.0 / omega
        )
    if function[2:] in {"D", "Q"} and function[0] in "CL":
        assert b == pytest.approx(q if function[2:] == "Q" else 1 / q)


def test_times_fall_with_frequency() -> None:
    for aperture in ("SHOR", "MED", "LONG"):
        times = [period(aperture, f) for f in (20, 50, 100, 500, 1e3, 5e4, 2e6)]
        assert times == sorted(times, reverse=True)
