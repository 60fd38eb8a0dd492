"""The impedance analyser's driver against its transcript, a bad far end, and its sim."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from instruments.clock import Clock
from instruments.e4980a_client import Configuration, E4980aClient
from instruments.errors import Fault, Rejected, Restarted, Stopped, WrongModel
from instruments.gpib import GpibLink, escaped
from instruments.keysight_e4980a import AnalyserSettings, ImpedanceAnalyser
from instruments.link import Link
from sims.physics.cell import Cell
from sims.physics.conduction import Arrhenius, Plain
from tests.instruments.conftest import running
from tests.instruments.peer import Peer
from tests.instruments.test_scpi_drivers import answering, linked, part, script

SETTINGS = AnalyserSettings(max_level=0.05, averages=2)
SPEED = 200.0
LIMIT = 30.0
OVERLOAD = 9.9e37


def on(link: Link, settings: AnalyserSettings = SETTINGS) -> ImpedanceAnalyser:
    device = ImpedanceAnalyser(
        "lcr", port=link.url, settings=settings, clock=Clock(SPEED)
    )
    device.link = link
    return device


# -- the transcript ----------------------------------------------------------------


def test_it_says_who_it_is_and_what_is_built_in() -> None:
    with script(part("e4980a", "Identity")) as link:
        client = E4980aClient(link)
        assert client.identity("E4980A").serial == "MY46516036"
        assert client.options() == ["001"]


def test_it_is_configured_to_the_letter() -> None:
    wanted = Configuration(
        level=0.01,
        aperture="long",
        averages=2,
        cable_length=1,
        open_correction=True,
        short_correction=True,
    )
    with script(part("e4980a", "Configured for a spectrum")) as link:
        E4980aClient(link).configure(wanted)


def test_a_point_is_one_question() -> None:
    lines = part("e4980a", "A point, readings")
    with script(lines[lines.index((">", b":FREQ 100000\n")) :]) as link:
        client = E4980aClient(link)
        assert client.choose(":FREQ", 1e5) == 1e5
        client.level_is(0.01)
        point = client.measure(1.0)
        assert (point.resistance, point.reactance) == (10923.11455, -4402.215873)
        assert point.status == 0


def test_a_list_has_four_numbers_a_point() -> None:
    lines = part("e4980a", "A list sweep has four numbers a point, readings")
    with script(lines[3:]) as link:
        client = E4980aClient(link)
        assert client.choose_list([1e3, 1e4, 1e5]) == [1e3, 1e4, 1e5]
        client.begin_list()
        points = client.fetch_list(3, 1.0)
        client.leave_list()
        client.scpi.check("the end")
    assert [one.resistance for one in points] == [13122.2, 12953.0, 10923.2]


def test_it_is_made_safe_in_one_go() -> None:
    with script(part("e4980a", "Made safe")) as link:
        client = E4980aClient(link)
        client.stop()
        client.level_is(0.0)
        assert not client.biased()


def test_a_bus_is_spoken_to_through_its_adapter() -> None:
    set_up = part("gpib_adapter", "A controller that asks to talk itself")[:9]
    set_up[6] = (">", b"++read_tmo_ms 500\n")
    two = part("gpib_adapter", "Two instruments on one bus")
    talk = [two[2], two[3], two[2], *two[4:6]]
    plus = part("gpib_adapter", "Plus signs and escapes are escaped")[1:]
    with Peer.playing([*set_up, *talk, *plus[:2]]) as peer:
        link = GpibLink(peer.path, 17, timeout=2.0)
        link.open()
        assert E4980aClient(link).identity("E4980A").model == "E4980A"
        link.tell(b":FREQ +2000\n")
        assert until(lambda: b"\x1b+2000" in peer.heard)
        link.close()
    assert peer.wrong == ""


def test_what_has_a_meaning_for_the_adapter_is_escaped() -> None:
    assert escaped(b"++ver\n") == b"\x1b+\x1b+ver\n"
    assert escaped(b":A \x1b\r\n:B\n") == b":A \x1b\x1b\x1b\r\n:B\n"


# -- a bad far end -----------------------------------------------------------------


def point_answers(reading: str, level: str = "+1.0E-02") -> dict[str, str]:
    return {":FREQ?": "+1.0E+03", ":VOLT:LEV?": level, "*TRG": reading}


@pytest.mark.parametrize(
    ("reading", "status", "said"),
    [
        ("+9.9E37,+9.9E37,-1", -1, "no data"),
        ("+9.9E37,+9.9E37,+1", 1, "overload"),
        ("+1.0E+01,+2.0E+00,+3", 3, "signal source overloaded"),
        ("+1.0E+01,+2.0E+00,+4", 4, "level not regulated"),
    ],
)
def test_a_point_that_is_not_normal_says_so(
    reading: str, status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING),
        linked(answering(point_answers(reading))) as link,
    ):
        device = on(link)
        device.level.keep(0.01)
        device.frequency.keep(1e3)
        device.trigger().wait(timeout=5)
        assert device.status.get() == status
        assert (device.resistance.get() == OVERLOAD) == (status in {-1, 1})
    assert f"status {status:+d}, {said}, at 1000 Hz" in caplog.text


def test_one_that_was_switched_off_is_found_out_before_it_measures() -> None:
    peer = answering(point_answers("+1.0E+01,+2.0E+00,+0", level="+1.0E+00"))
    with linked(peer) as link:
        device = on(link)
        device.level.keep(0.01)
        with pytest.raises(Restarted, match=r"level of \+1.0E\+00 V, not 0.01 V"):
            device.trigger().wait(timeout=5)
    assert b"*TRG" not in peer.heard


def test_a_frequency_that_is_not_taken_is_a_fault() -> None:
    with (
        linked(answering({":FREQ?": "+5.0E+02"})) as link,
        pytest.raises(Fault, match=r"':FREQ\?' answered '\+5.0E\+02' after"),
    ):
        on(link).frequency.set(1e3).wait(timeout=5)


@pytest.mark.parametrize(
    ("act", "refusal"),
    [
        (lambda it: it.frequency.set(5.0), "frequency 5 Hz is outside 20 to 2e\\+06"),
        (lambda it: it.level.set(1.0), "level 1 V is outside 0 to 0.05 V"),
        (lambda it: it.bias.set(0.1), "bias 0.1 V is outside -0 to 0 V"),
        (lambda it: it.averages.set(257), "averages 257 readings is outside 1 to 256"),
        (lambda it: it.aperture.set("huge"), "'huge' is none of short, medium, long"),
        (lambda it: it.learnt.set("load"), "'load' is none of open, short"),
        (lambda it: it.swept.set([]), "frequencies 0  is outside 1 to 201"),
        (lambda it: it.swept.set([1e3] * 202), "frequencies 202  is outside"),
        (lambda it: it.swept.set([1e3, 3e6]), "frequency 3e\\+06 Hz is outside"),
    ],
)
def test_what_is_out_of_range_is_refused_before_the_first_byte(
    act: Callable[[Any], Any], refusal: str
) -> None:
    peer = answering({})
    with linked(peer) as link, pytest.raises(Rejected, match=refusal):
        act(on(link))
    assert peer.heard == b""


def test_bias_needs_its_option() -> None:
    table = {"*IDN?": "Keysight Technologies,E4980AL,MY1,B.07.05", "*OPT?": "102"}
    settings = AnalyserSettings(max_level=0.05, max_bias=0.05)
    with (
        linked(answering(table)) as link,
        pytest.raises(WrongModel, match=r"max_bias 0\.05 V needs option 001"),
    ):
        on(link, settings).connect()


def test_units_are_in_the_description() -> None:
    with linked(answering({})) as link:
        device = on(link)
        units = {key: one["units"] for key, one in device.describe().items()}
        assert units["lcr_resistance"] == units["lcr_reactance"] == "ohm"
        assert (units["lcr_frequency"], units["lcr_dc_current"]) == ("Hz", "A")
        swept = device.swept.describe()["lcr_swept"]
        assert (swept["units"], swept["dtype"]) == ("Hz", "array")


def test_an_address_that_no_bus_has_is_refused() -> None:
    with pytest.raises(Rejected, match="gpib_address 31 is outside 0 to 30"):
        GpibLink("/dev/null", 31)


# -- the sim, by every door --------------------------------------------------------

BENCH = """
instruments:
  lcr:     {panel: e4980a, port: ports/lcr, cell: CELL}
  held:    {panel: e4980a, cell: CELL}
  gpib:    {panel: gpib_adapter, port: ports/gpib, instruments: {17: held}}
  opened:  {panel: e4980a, port: ports/opened, cell: open}
  shorted: {panel: e4980a, port: ports/shorted, cell: short}
"""
FILM = "{conductivity_S_cm: 1.0e-6, electrodes: lithium, transference: 0.25}"
FREQUENCIES = [20.0, 200.0, 2e3, 2e4, 2e5, 2e6]


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + LIMIT
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


class Far:
    """A bench with an analyser behind each kind of door."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.opened: list[ImpedanceAnalyser] = []

    def device(self, door: str, **settings: Any) -> ImpedanceAnalyser:
        """Return an analyser at ``pty``, ``tcp`` or ``gpib``, or one by its name."""
        card = json.loads((self.directory / "bench.json").read_text())
        urls = {
            "pty": str(self.directory / "ports" / "lcr"),
            "tcp": f"socket://127.0.0.1:{card['tcp']['lcr']}",
        }
        made = ImpedanceAnalyser(
            "lcr",
            port=urls.get(door, str(self.directory / "ports" / door)),
            settings=AnalyserSettings(
                max_level=0.1,
                max_bias=0.05,
                gpib_address=17 if door == "gpib" else None,
                **settings,
            ),
            clock=Clock(SPEED),
        )
        self.opened.append(made)
        made.connect()
        made.prepare()
        return made

    def events(self, door: str) -> list[str]:
        name = {"gpib": "held", "pty": "lcr", "tcp": "lcr"}.get(door, door)
        path = self.directory / "journal" / f"{name}.jsonl"
        if not path.exists():
            return []
        return [json.loads(line)["event"] for line in path.read_text().splitlines()]

    def state_fault(self, door: str, **rule: Any) -> None:
        """Have one fault happen, and return when the bench knows of it."""
        known = self.events(door).count("faults stated")
        rule |= {"instrument": "held" if door == "gpib" else "lcr"}
        part = self.directory / "faults.part"
        part.write_text(json.dumps([rule]))
        part.replace(self.directory / "faults.json")
        assert until(lambda: self.events(door).count("faults stated") > known)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("bench")
    spec = directory / "bench.yaml"
    spec.write_text(BENCH.replace("CELL", FILM))
    with running(spec, directory, SPEED):
        yield directory


@pytest.fixture
def far(bench: Path) -> Iterator[Far]:
    made = Far(bench)
    yield made
    for one in made.opened:
        one.disconnect()


DOORS = pytest.mark.parametrize("door", ["pty", "tcp", "gpib"])
BUILT = Cell(Plain(Arrhenius(1e-6)))


@pytest.mark.slow
@DOORS
def test_a_spectrum_is_the_same_by_points_and_by_list(far: Far, door: str) -> None:
    device = far.device(door)
    spectra = []
    for by_list in (False, True):
        device.swept.set(FREQUENCIES, by_list=by_list).wait(timeout=LIMIT)
        assert device.swept.get() == FREQUENCIES
        assert device.swept_status.get() == [0] * len(FREQUENCIES)
        spectra.append(device.swept_resistance.get())
    assert spectra[0] == pytest.approx(spectra[1], rel=0.03, abs=20.0)
    # 2 kHz: bulk, and some of the layers on lithium.
    assert 0.95 < spectra[0][2] / BUILT.bulk_resistance(25.0) < 1.3


@pytest.mark.slow
@DOORS
def test_a_point_is_what_the_frequency_and_level_say(far: Far, door: str) -> None:
    device = far.device(door)
    device.level.set(0.02).wait(timeout=LIMIT)
    device.aperture.set("short").wait(timeout=LIMIT)
    device.averages.set(4).wait(timeout=LIMIT)
    device.frequency.set(2e4).wait(timeout=LIMIT)
    device.trigger().wait(timeout=LIMIT)
    read = {key: one["value"] for key, one in device.read().items()}
    assert read["lcr_frequency"] == 2e4
    assert read["lcr_status"] == 0
    assert read["lcr_resistance"] == pytest.approx(BUILT.bulk_resistance(25.0), rel=0.1)
    assert read["lcr_reactance"] < 0.0


@pytest.mark.slow
@DOORS
def test_a_stop_leaves_neither_bias_nor_signal_and_ends_a_list(
    far: Far, door: str
) -> None:
    device = far.device(door, averages=200)
    device.bias.set(0.01).wait(timeout=LIMIT)
    assert device.survey() == {"bias": True}
    status = device.swept.set([20.0] * 50, by_list=True)
    assert until(lambda: device.acting)
    threading.Event().wait(0.2)
    device.stop()
    device.stop()
    with pytest.raises(Stopped):
        status.wait(timeout=LIMIT)
    assert until(lambda: far.events(door)[-1] == "bias off")
    with pytest.raises(Rejected, match="was stopped"):
        device.trigger()
    device.prepare()
    assert device.survey() == {"bias": False}
    device.averages.set(1).wait(timeout=LIMIT)
    device.frequency.set(1e3).wait(timeout=LIMIT)
    device.trigger().wait(timeout=LIMIT)
    assert device.status.get() == 0


@pytest.mark.slow
def test_an_open_fixture_is_learnt_and_not_taken_for_a_short_one(far: Far) -> None:
    device = far.device("opened")
    with pytest.raises(Rejected, match="the fixture is not short"):
        device.learnt.set("short").wait(timeout=LIMIT)
    device.prepare()
    device.learnt.set("open").wait(timeout=LIMIT)
    assert far.events("opened")[-1] == "open learned"


@pytest.mark.slow
def test_a_shorted_fixture_is_learnt_and_taken_off(far: Far) -> None:
    device = far.device("shorted")
    with pytest.raises(Rejected, match="the fixture is not open"):
        device.learnt.set("open").wait(timeout=LIMIT)
    device.prepare()
    device.compensated.set(0).wait(timeout=LIMIT)
    device.frequency.set(1e6).wait(timeout=LIMIT)
    device.trigger().wait(timeout=LIMIT)
    before = device.reactance.get()
    device.learnt.set("short").wait(timeout=LIMIT)
    assert device.compensated.get() == 1
    device.frequency.set(1e6).wait(timeout=LIMIT)
    device.trigger().wait(timeout=LIMIT)
    assert abs(device.reactance.get()) < 0.1 * before


@pytest.mark.slow
def test_the_current_of_a_biased_cell_dies_down_to_the_share_of_lithium(
    far: Far,
) -> None:
    device = far.device("pty", aperture="short")
    device.frequency.set(1e4).wait(timeout=LIMIT)
    device.bias.set(0.01).wait(timeout=LIMIT)
    device.trigger().wait(timeout=LIMIT)
    first = device.dc_current.get()
    bulk = BUILT.bulk_resistance(25.0)
    assert 0.0 < first < 1.05 * 0.01 / bulk
    device.clock.wait(2000.0, threading.Event())
    device.trigger().wait(timeout=LIMIT)
    assert 0.2 * first < device.dc_current.get() < 0.6 * first
    device.bias.set(0.0).wait(timeout=LIMIT)
    assert far.events("pty")[-1] == "bias off"


@pytest.mark.slow
@DOORS
def test_a_lost_answer_is_asked_for_again(far: Far, door: str) -> None:
    device = far.device(door)
    device.frequency.set(1e4).wait(timeout=LIMIT)
    far.state_fault(door, kind="drop", command=r"\*TRG")
    device.trigger().wait(timeout=LIMIT)
    assert device.status.get() == 0
    assert far.events(door)[-1] == "fault"


@pytest.mark.slow
def test_a_power_cut_is_told_from_a_reading(far: Far) -> None:
    device = far.device("tcp")
    device.frequency.set(1e4).wait(timeout=LIMIT)
    far.state_fault("tcp", kind="power_cycle", seconds=20.0)
    with pytest.raises(Restarted, match="it was switched off"):
        device.trigger().wait(timeout=LIMIT)
    device.prepare()
    device.trigger().wait(timeout=LIMIT)
    assert device.status.get() == 0


@pytest.mark.slow
def test_a_pulled_plug_is_a_lost_link_and_the_next_point_finds_it_back(
    far: Far,
) -> None:
    device = far.device("tcp")
    device.frequency.set(1e4).wait(timeout=LIMIT)
    far.state_fault("tcp", kind="disconnect", seconds=100.0)
    device.trigger().wait(timeout=LIMIT)
    assert device.status.get() == 0
