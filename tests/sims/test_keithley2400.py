"""The simulated source-meter does what its manual says, on the film that is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sims.physics.cell import Cell
from sims.physics.conduction import Arrhenius, Plain
from sims.world import AMBIENT
from tests.sims.desk import Desk
from tests.sims.film import Film, bring, put

SPEC = {
    "instruments": {
        "smu": {"panel": "keithley2400", "matrix": "matrix", "slot": "probe"},
        "matrix": {"panel": "keithley2700"},
    },
    "slots": {"probe": {"at": [0.0, 0.0, 0.0]}},
}
ROUTES = {
    "R12,43": "101,110,120,127",
    "R23,14": "102,111,117,128",
    "R34,21": "103,112,118,125",
    "R41,32": "104,109,119,126",
}
SET_UP = (
    "*CLS;*RST;:SYST:RSEN 1;:SOUR:FUNC CURR;:SENS:FUNC:ALL;:SENS:RES:MODE MAN;"
    ":SENS:VOLT:PROT 10;:FORM:ELEM VOLT,CURR,STAT;"
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path, SPEC)
    yield desk
    desk.close()


def ask(desk: Desk, text: str, wait: float = 5.0) -> str:
    return desk.ask("smu", text.encode() + b"\n", wait).decode().removesuffix("\n")


def route(desk: Desk, layout: str) -> None:
    desk.ask("matrix", f":ROUT:OPEN:ALL;:ROUT:MULT:CLOS (@{ROUTES[layout]})\n".encode())


def read(desk: Desk, current: float) -> tuple[float, float, int]:
    ask(desk, f":SOUR:CURR {current};:OUTP 1")
    voltage, measured, status = map(float, ask(desk, ":READ?").split(","))
    return voltage, measured, int(status)


def four_wire(desk: Desk, layout: str, current: float = 1e-4) -> float:
    route(desk, layout)
    forward, backward = read(desk, current)[0], read(desk, -current)[0]
    return (forward - backward) / (2.0 * current)


def test_what_is_read_is_what_the_closed_relays_join(desk: Desk) -> None:
    film = Film(r_a=20.0, r_b=14.0)
    put(desk, "probe", film)
    ask(desk, SET_UP)
    assert four_wire(desk, "R12,43") == pytest.approx(film.r_a, rel=5e-3)
    assert four_wire(desk, "R34,21") == pytest.approx(film.r_a, rel=5e-3)
    assert four_wire(desk, "R23,14") == pytest.approx(film.r_b, rel=5e-3)
    assert four_wire(desk, "R41,32") == pytest.approx(film.r_b, rel=5e-3)


def test_a_reversal_takes_the_thermoelectric_voltage_away(desk: Desk) -> None:
    put(desk, "probe", Film())
    ask(desk, SET_UP + ":SENS:VOLT:NPLC 10")
    route(desk, "R12,43")
    forward, backward = read(desk, 1e-4)[0], read(desk, -1e-4)[0]
    assert 1e-8 < abs(forward + backward) / 2.0 < 60e-6


def test_without_a_film_the_source_is_in_compliance(desk: Desk) -> None:
    ask(desk, SET_UP)
    route(desk, "R12,43")
    voltage, current, status = read(desk, 1e-4)
    assert status & 1 << 3
    assert voltage == pytest.approx(10.0, rel=1e-3)
    assert abs(current) < 1e-7


def test_with_a_film_and_open_relays_the_source_is_in_compliance(desk: Desk) -> None:
    put(desk, "probe", Film())
    ask(desk, SET_UP)
    assert read(desk, 1e-4)[2] & 1 << 3


def test_a_bad_contact_gives_readings_that_disagree(desk: Desk) -> None:
    put(desk, "probe", Film(bad_contact=2))
    ask(desk, SET_UP)
    found = [four_wire(desk, layout) for layout in ("R12,43", "R34,21", "R12,43")]
    assert max(found) - min(found) > 0.05 * 20.0


def test_a_new_sample_is_touched_by_the_pins(desk: Desk) -> None:
    film = Film()
    bring(desk, "probe", film)
    assert film.touched == 1


def test_longer_integration_is_quieter(desk: Desk) -> None:
    put(desk, "probe", Film())
    ask(desk, SET_UP)
    route(desk, "R12,43")
    spread = []
    for nplc in (0.01, 10.0):
        ask(desk, f":SENS:VOLT:NPLC {nplc}")
        volts = [read(desk, 1e-4)[0] for _ in range(20)]
        spread.append(max(volts) - min(volts))
    assert spread[1] < spread[0] / 5.0


def test_a_reading_takes_its_integration_time(desk: Desk) -> None:
    put(desk, "probe", Film())
    ask(desk, SET_UP + ":OUTP 1")
    assert ask(desk, ":READ?", wait=0.06) == ""
    assert ask(desk, "", wait=0.1) != ""
    assert ask(desk, ":SENS:VOLT:NPLC 10;:READ?", wait=0.55) == ""
    assert ask(desk, "", wait=0.2) != ""


def test_abort_takes_back_the_reading_and_what_was_queued(desk: Desk) -> None:
    put(desk, "probe", Film())
    ask(desk, SET_UP + ":OUTP 1;:SENS:VOLT:NPLC 10")
    assert ask(desk, ":READ?\n:SYST:RSEN?", wait=0.1) == ""
    assert ask(desk, "\x03:OUTP 0;:OUTP?") == "0"


def test_measure_switches_the_output_on_and_leaves_it_on(desk: Desk) -> None:
    put(desk, "probe", Film())
    ask(desk, SET_UP + ":SENS:VOLT:NPLC 10")
    ask(desk, ":MEAS:VOLT?")
    assert ask(desk, ":OUTP?;:SENS:VOLT:NPLC?") == "1;1.00"


def test_elements_that_were_not_measured_say_so(desk: Desk) -> None:
    ask(desk, "*RST;:OUTP 1")
    fields = ask(desk, ":READ?").split(",")
    assert len(fields) == 5
    assert [len(field) for field in fields] == [13] * 5
    assert fields[2] == "+9.910000E+37"


def test_a_level_beyond_a_fixed_range_is_refused(desk: Desk) -> None:
    ask(desk, "*CLS;*RST;:SOUR:FUNC CURR;:SOUR:CURR:RANG 0.001")
    ask(desk, ":SOUR:CURR 0.1")
    assert ask(desk, ":SYST:ERR?").startswith("-222")
    assert float(ask(desk, ":SOUR:CURR?")) == 0.0


def test_the_buffer_fills_in_the_background_and_says_when(desk: Desk) -> None:
    put(desk, "probe", Film())
    route(desk, "R12,43")
    ask(desk, SET_UP + ":SOUR:CURR 1e-4;:OUTP 1")
    ask(desk, ":STAT:PRES;*CLS;*SRE 1;:STAT:MEAS:ENAB 512;:TRAC:CLE;:TRAC:POIN 3;")
    ask(desk, ":TRIG:COUN 3;:TRAC:FEED SENSE;:TRAC:FEED:CONT NEXT;", wait=0.01)
    ask(desk, ":INIT", wait=0.01)
    assert ask(desk, "*STB?", wait=0.01) == "0"
    desk.wait(1.0)
    assert ask(desk, "*STB?") == "65"
    assert len(ask(desk, ":TRAC:DATA?").split(",")) == 9
    mean = ask(desk, ":CALC3:FORM MEAN;:CALC3:DATA?;").split(",")
    assert float(mean[0]) == pytest.approx(2e-3, rel=0.05)


def test_the_journal_tells_when_the_output_was_on(desk: Desk) -> None:
    ask(desk, SET_UP + ":OUTP 1;:OUTP 0")
    assert desk.events("smu") == ["output on", "output off"]


class Lithium:
    """A sample that is a cell, and knows whether it has carried a current."""

    name = "rack.1"
    cell = Cell(Plain(Arrhenius(1e-4), share=0.25), lithium=True)
    grown = False

    def polarised(self) -> None:
        self.grown = True


def test_the_current_of_a_cell_falls_to_a_steady_one(tmp_path: Path) -> None:
    spec = {
        "instruments": {"smu": {"panel": "keithley2400", "cell": "cell"}},
        "slots": {"cell": {"at": [0.0, 0.0, 0.0]}},
    }
    desk = Desk(tmp_path, spec)
    sample = Lithium()
    desk.bench.world.slots["cell"].sample = sample
    ask(
        desk,
        "*RST;:SYST:RSEN 0;:SOUR:FUNC VOLT;:SENS:FUNC 'CURR';:SENS:CURR:PROT 0.001;",
    )
    ask(desk, ":FORM:ELEM VOLT,CURR,STAT;:SOUR:VOLT:LEV 0.01;:OUTP 1")
    first = float(ask(desk, ":READ?").split(",")[1])
    assert not sample.grown
    desk.wait(20_000.0)
    last = float(ask(desk, ":READ?").split(",")[1])
    desk.close()
    warm = AMBIENT
    assert first == pytest.approx(sample.cell.current(0.01, 0.0, warm), rel=0.01)
    assert last == pytest.approx(sample.cell.current(0.01, 1e6, warm), rel=0.01)
    assert sample.grown
